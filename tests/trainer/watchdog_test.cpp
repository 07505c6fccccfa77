// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/watchdog.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "comm/groups.h"
#include "comm/thread/thread_communicator.h"

namespace argosy {
namespace {

using std::chrono::milliseconds;

// Messages of a watchdog, safe to read from another thread.
struct Listener {
  std::mutex mutex;
  std::vector<std::string> messages;
  void operator()(const std::string& message) {
    const std::lock_guard lock(mutex);
    messages.push_back(message);
  }
  std::vector<std::string> heard() {
    const std::lock_guard lock(mutex);
    return messages;
  }
};

TEST(Watchdog, BarksOnceWhenNothingMoves) {
  Heartbeat heartbeat;
  Listener listener;
  heartbeat.act("1F0");
  heartbeat.enter("recv pp from rank 3");
  const Watchdog watchdog(heartbeat, 5, 0.05, [&](const std::string& m) { listener(m); });
  std::this_thread::sleep_for(milliseconds(400));
  ASSERT_EQ(listener.heard().size(), 1U);
  EXPECT_EQ(listener.heard().front(),
            "rank 5 has been in 1F0, waiting in recv pp from rank 3, for 0 s");
}

TEST(Watchdog, StaysQuietWhileThingsMove) {
  Heartbeat heartbeat;
  Listener listener;
  {
    const Watchdog watchdog(heartbeat, 0, 1.0, [&](const std::string& m) { listener(m); });
    for (int i = 0; i < 30; ++i) {
      heartbeat.act("0F" + std::to_string(i));
      std::this_thread::sleep_for(milliseconds(50));
    }
  }  // ends at once, though its period is not over
  EXPECT_TRUE(listener.heard().empty());
}

// A rank that waits for one that never answers: the watchdog of the first names call and peer.
TEST(Watchdog, NamesTheCallInWhichARankWaits) {
  Listener listener;
  run_on_threads(2, [&](Communicator& world) {
    ProcessGroups groups(world, {.pp = 2}, 0);
    Heartbeat heartbeat;
    groups.set_heartbeat(&heartbeat);
    heartbeat.act("1RECV_F0");
    float value = 0;
    if (world.rank() == 1) {
      const Watchdog watchdog(heartbeat, 1, 0.1, [&](const std::string& m) { listener(m); });
      groups[Axis::pp].recv({&value, 1, DType::fp32}, 0, 0);
    } else {
      std::this_thread::sleep_for(milliseconds(600));
      groups[Axis::pp].send({&value, 1, DType::fp32}, 1, 0);
    }
  });
  ASSERT_EQ(listener.heard().size(), 1U);
  EXPECT_EQ(listener.heard().front(),
            "rank 1 has been in 1RECV_F0, waiting in recv pp from rank 0, for 0 s");
}

}  // namespace
}  // namespace argosy
