// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Groups that share memory: how places are handed out, what happens when ranks disagree.
#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <string>
#include <thread>

#include "comm/groups.h"
#include "comm/thread/thread_communicator.h"
#include "comm/window/memory.h"
#include "planner/spec/check.h"
#include "planner/spec/clock.h"
#include "planner/spec/windows.h"
#include "tests/comm/conformance.h"
#include "tests/comm/conformance_data.h"

namespace argosy {
namespace {

constexpr double kTimeLimit = 60.0;  // seconds a call may wait

void expect_sums_ranks(Communicator& comm) {
  std::vector<int32_t> value(1, comm.rank() + 1);
  comm.all_reduce(buffer_of(value));
  EXPECT_EQ(value[0], comm.size() * (comm.size() + 1) / 2);
}

TEST(Window, GivesTheBitsOfMessages) {
  for (int size = 2; size <= 5; ++size) {
    for (const Limits& limits : {Limits{}, tiny_limits()}) {
      // Both sides at once would need two jobs: each rank keeps its results of the first.
      std::vector<std::vector<std::vector<float>>> results(2);
      for (size_t side = 0; side < 2; ++side) {
        results[side].resize(static_cast<size_t>(size));
        run_on_threads(
            size,
            [&](Communicator& world) {
              EXPECT_EQ(world.route().shares_memory, side == 0);
              std::vector<float> values = values_of<float>(world.rank(), 600011);
              world.all_reduce(buffer_of(values));
              results[side][static_cast<size_t>(world.rank())] = values;
            },
            kTimeLimit, side == 0 ? limits : over_messages(limits));
      }
      for (size_t rank = 0; rank < results[0].size(); ++rank) {
        expect_same_bits(results[1][rank], results[0][rank], "all_reduce");
      }
    }
  }
}

// Far more groups than places, one after the other: places are used again, also where ranks leave
// their groups at different times.
TEST(Window, PlacesAreUsedAgain) {
  run_on_threads(3, [](Communicator& world) {
    std::vector<std::unique_ptr<Communicator>> kept;
    for (int i = 0; i < 200; ++i) {
      std::unique_ptr<Communicator> group = world.split(0, world.rank());
      EXPECT_TRUE(group->route().shares_memory) << group->route().obstacle;
      expect_sums_ranks(*group);
      kept.push_back(std::move(group));
      if (static_cast<int>(kept.size()) > 2 + world.rank()) kept.erase(kept.begin());
    }
    EXPECT_LT(world.route().window_bytes, 16 * layout_of(Limits{}).place_bytes());
  });
}

// The bytes that the planner names are those that a rank's groups have taken.
TEST(Window, BytesArePlanned) {
  struct Case {
    Mesh mesh;
    int64_t num_kv_heads;
    int64_t places;
  };
  for (const Case& c : {Case{{.dp = 2}, 2, 5},           // world twice, dp, dp_cp, edp
                        Case{{.tp = 2, .dp = 2}, 1, 7},  // and tp, kv_replica
                        Case{{.tp = 2, .pp = 2, .dp = 2}, 2, 0}, Case{{.dp = 4, .ep = 2}, 2, 0}}) {
    Plan plan;
    plan.mesh = c.mesh;
    plan.model.num_kv_heads = c.num_kv_heads;
    const int64_t place_bytes = layout_of(Limits{}).place_bytes();
    if (c.places > 0) {
      EXPECT_EQ(window_bytes(plan, 0, 8) / place_bytes, c.places) << to_string(c.mesh);
    }
    run_on_threads(static_cast<int>(c.mesh.world_size()), [&](Communicator& world) {
      const ProcessGroups groups(world, c.mesh, c.num_kv_heads, nullptr);
      EXPECT_EQ(groups.control().route().window_bytes, window_bytes(plan, world.rank(), 8))
          << to_string(c.mesh) << " rank " << world.rank();
    });
  }
  // Two nodes: tp alone stays inside.
  Plan plan;
  plan.mesh = {.tp = 2, .dp = 2};
  plan.model.num_kv_heads = 2;
  EXPECT_EQ(window_bytes(plan, 3, 2), layout_of(Limits{}).place_bytes());
}

// More groups at a time than there are places: the last ones say so and use messages.
TEST(Window, GroupsWithoutAPlaceUseMessages) {
  run_on_threads(2, [](Communicator& world) {
    std::vector<std::unique_ptr<Communicator>> groups;
    for (int i = 0; i < 40; ++i) groups.push_back(world.split(0, world.rank()));
    EXPECT_TRUE(groups.front()->route().shares_memory);
    EXPECT_FALSE(groups.back()->route().shares_memory);
    EXPECT_NE(groups.back()->route().obstacle.find("no memory left in the window"),
              std::string::npos)
        << groups.back()->route().obstacle;
    for (const auto& group : groups) expect_sums_ranks(*group);
  });
}

// More calls than lanes, small and large ones mixed, each rank waiting in an order of its own.
TEST(Window, ManyCallsUnderWayInAnyOrderOfWaits) {
  run_on_threads(
      3,
      [](Communicator& world) {
        constexpr size_t kCalls = 24;
        std::vector<std::vector<float>> values;
        std::vector<Request> requests;
        for (size_t i = 0; i < kCalls; ++i) values.emplace_back(i % 3 == 0 ? 5 : 3001, 1.0f);
        for (std::vector<float>& buffer : values) {
          requests.push_back(world.start_all_reduce(buffer_of(buffer), ReduceOp::sum));
        }
        for (size_t i = 0; i < kCalls; ++i) {
          const size_t strides[] = {1, 5, 7};  // without a factor in common with kCalls
          requests[i * strides[world.rank()] % kCalls].wait();
        }
        for (const std::vector<float>& buffer : values) {
          for (const float v : buffer) ASSERT_EQ(v, 3.0f);
        }
      },
      kTimeLimit, tiny_limits());
}

// A small call that all ranks have reached ends, though large ones before it hold all lanes of
// their own and wait for a rank that does not move them on.
TEST(Window, SmallCallsDoNotWaitForLargeOnes) {
  std::atomic<bool> small_is_done = false;
  run_on_threads(2, [&](Communicator& world) {
    std::vector<std::vector<float>> large(4, std::vector<float>(1 << 20, 1.0f));
    std::vector<float> small(3, 1.0f);
    std::vector<Request> reducing;
    for (std::vector<float>& buffer : large) {
      reducing.push_back(world.start_all_reduce(buffer_of(buffer), ReduceOp::sum));
    }
    Request reducing_small = world.start_all_reduce(buffer_of(small), ReduceOp::sum);
    if (world.rank() == 0) {
      reducing_small.wait();
      small_is_done = true;
    } else {
      const Clock::time_point begin = Clock::now();
      while (!small_is_done && seconds_since(begin) < kTimeLimit) std::this_thread::yield();
      EXPECT_TRUE(small_is_done) << "the small call waits for the large ones";
      reducing_small.wait();
    }
    EXPECT_EQ(small[0], 2.0f);
    for (Request& request : reducing) request.wait();
    for (const std::vector<float>& buffer : large) EXPECT_EQ(buffer[0], 2.0f);
  });
}

// What run_on_threads throws.
std::string failure_of(int size, const std::function<void(Communicator&)>& body) {
  try {
    run_on_threads(size, body, kTimeLimit);
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Window, NamesCallsThatDiffer) {
  const std::string message = failure_of(2, [](Communicator& world) {
    std::vector<float> values(8, 1.0f);
    if (world.rank() == 0) {
      world.all_reduce(buffer_of(values));
    } else {
      world.broadcast({values.data(), 6, DType::fp32}, 0);
    }
  });
  const std::string reduce = "all_reduce of 32 bytes in fp32",
                    cast = "broadcast of 24 bytes in fp32";
  EXPECT_NE(message.find(reduce), std::string::npos) << message;
  EXPECT_NE(message.find(cast), std::string::npos) << message;
  EXPECT_NE(message.find(" met "), std::string::npos) << message;
}

TEST(Window, NamesCountsThatDiffer) {
  const std::string message = failure_of(2, [](Communicator& world) {
    std::vector<float> in(8), out(8);
    const int64_t sent = world.rank() == 0 ? 5 : 3, expected = 3;  // rank 0 sends 2 too many
    const std::vector<int64_t> sends = {world.rank() == 0 ? 1 : sent, world.rank() == 0 ? sent : 1};
    const std::vector<int64_t> recvs = {world.rank() == 0 ? 1 : expected,
                                        world.rank() == 0 ? expected : 1};
    world.all_to_all({in.data(), sent + 1, DType::fp32}, sends,
                     {out.data(), expected + 1, DType::fp32}, recvs);
  });
  EXPECT_NE(message.find("group rank 0 sends 5 elements to group rank 1, which expects 3"),
            std::string::npos)
      << message;
}

}  // namespace
}  // namespace argosy
