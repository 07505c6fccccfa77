// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// One rank's failure ends the calls of all, and says why.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "comm/thread/thread_communicator.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

// What run_on_threads throws.
template <typename Exception>
std::string failure_of(int size, const std::function<void(Communicator&)>& body,
                       double timeout_s = 60.0) {
  try {
    run_on_threads(size, body, timeout_s);
  } catch (const Exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(ThreadFailure, ReachesWaitingRanksAndIsRethrown) {
  std::vector<std::string> seen(3);
  const std::string message = failure_of<ConfigError>(3, [&](Communicator& world) {
    if (world.rank() == 2) throw ConfigError("no such file");
    float value = 1;
    try {
      world.all_reduce({&value, 1, DType::fp32});
    } catch (const Error& error) {
      seen[static_cast<size_t>(world.rank())] = error.what();
      throw;
    }
  });
  EXPECT_EQ(message, "no such file");
  EXPECT_EQ(seen[0], "rank 2 failed: no such file");
  EXPECT_EQ(seen[1], "rank 2 failed: no such file");
}

TEST(ThreadFailure, UnwindingDoesNotWaitForUnfinishedCalls) {
  const std::string message = failure_of<std::runtime_error>(2, [](Communicator& world) {
    std::vector<float> values(100000);
    Request sending;
    if (world.rank() == 0) {
      sending = world.start_send({values.data(), 100000, DType::fp32}, 1, 0);
      throw std::runtime_error("out of data");
    }
    world.barrier();
  });
  EXPECT_EQ(message, "out of data");
}

TEST(ThreadFailure, TimeLimitNamesRankCallAndPeer) {
  const std::string group = failure_of<Error>(
      2,
      [](Communicator& world) {
        double value = 1;
        if (world.rank() == 0) {
          world.all_reduce({&value, 1, DType::fp64});
        } else {
          std::this_thread::sleep_for(std::chrono::milliseconds(400));
        }
      },
      0.1);
  EXPECT_NE(group.find("rank 0: all_reduce of 8 bytes waited"), std::string::npos) << group;
  EXPECT_NE(group.find("for its peers (limit 0.1 s)"), std::string::npos) << group;

  const std::string pair = failure_of<Error>(
      2,
      [](Communicator& world) {
        int32_t value = 1;
        if (world.rank() == 1) world.recv({&value, 1, DType::int32}, 0, 3);
      },
      0.1);
  EXPECT_NE(pair.find("rank 1: recv of 4 bytes waited"), std::string::npos) << pair;
  EXPECT_NE(pair.find("for group rank 0"), std::string::npos) << pair;
}

TEST(ThreadFailure, MessagesOfAnotherSizeAreNamed) {
  const std::string message = failure_of<Error>(2, [](Communicator& world) {
    std::vector<float> values(5);
    if (world.rank() == 0) world.send({values.data(), 5, DType::fp32}, 1, 0);
    if (world.rank() == 1) world.recv({values.data(), 3, DType::fp32}, 0, 0);
  });
  EXPECT_NE(message.find("a message of 20 bytes met a receive of 12 bytes"), std::string::npos)
      << message;
}

TEST(ThreadFailure, AbortEndsPendingCalls) {
  const std::string message = failure_of<Error>(3, [](Communicator& world) {
    if (world.rank() == 1) {
      world.abort(75);
    } else {
      world.barrier();
    }
  });
  EXPECT_NE(message.find("rank 1 called abort(75)"), std::string::npos) << message;
}

// A message that nobody sends: its receive cannot have ended when split is called.
TEST(ThreadFailure, SplitRefusesCallsUnderWay) {
  const std::string message = failure_of<std::logic_error>(2, [](Communicator& world) {
    float value = 0;
    const Request request = world.start_recv({&value, 1, DType::fp32}, 1 - world.rank(), 0);
    (void)world.split(0, 0);
  });
  EXPECT_NE(message.find("split with 1 calls under way"), std::string::npos) << message;
}

}  // namespace
}  // namespace argosy
