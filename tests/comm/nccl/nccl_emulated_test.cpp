// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// The NCCL communicator over a stand-in for the library, on emulated devices: the conformance
// checks in several orders of streams, and what happens when a rank fails. What NCCL itself does
// needs GPUs: nccl_conformance_test.cpp.
#include <tuple>

#include "comm/nccl/nccl_communicator.h"
#include "comm/thread/thread_communicator.h"
#include "planner/spec/clock.h"
#include "tests/comm/conformance.h"
#include "tests/comm/conformance_data.h"
#include "tests/comm/nccl/device_adapter.h"
#include "tests/support/cuda_emulation/gpu_ranks.h"
#include "tests/support/cuda_emulation/nccl.h"
#include "tests/support/cuda_emulation/streams.h"
#include "trainer/device/device_graph.h"

namespace argosy {
namespace {

using cuda_emulation::num_nccl_communicators;
using cuda_emulation::Timing;

// Runs body(world) on ranks with a device each; their memory is the host's, copied.
void run_on_devices(int num_ranks, const std::function<void(Communicator&)>& body,
                    const NcclOptions& options = {}) {
  cuda_emulation::run_on_gpus(
      num_ranks,
      [&](Communicator& world, DeviceContext& device) {
        body(*make_device_adapter(world.split(0, world.rank()), device));
      },
      options);
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

class NcclEmulatedConformance
    : public testing::TestWithParam<std::tuple<ConformanceCheck, int, Timing>> {
 public:
  ~NcclEmulatedConformance() override { cuda_emulation::reset_devices(); }
};
TEST_P(NcclEmulatedConformance, Holds) {
  cuda_emulation::set_timing(std::get<2>(GetParam()), 1);
  run_on_devices(std::get<1>(GetParam()), std::get<0>(GetParam()).run);
  EXPECT_EQ(num_nccl_communicators(), 0);
}
INSTANTIATE_TEST_SUITE_P(Checks, NcclEmulatedConformance,
                         testing::Combine(testing::ValuesIn(conformance_checks()),
                                          testing::Values(1, 2, 3, 4),
                                          testing::Values(Timing::early, Timing::compute_late,
                                                          Timing::others_late, Timing::seeded)),
                         [](const auto& parameter) {
                           return concat(std::get<0>(parameter.param).name, "_",
                                         std::get<1>(parameter.param), "_",
                                         static_cast<int>(std::get<2>(parameter.param)));
                         });

// Each side waits for its send before it receives the other's: the directions are apart.
TEST(NcclEmulated, BothSendFirst) {
  run_on_devices(2, [](Communicator& world) {
    const int peer = 1 - world.rank();
    std::vector<float> mine(1000, static_cast<float>(world.rank())), theirs(1000);
    Request send = world.start_send(buffer_of(mine), peer, 0);
    Request recv = world.start_recv(buffer_of(theirs), peer, 0);
    if (world.rank() == 0) send.wait();
    recv.wait();
    if (world.rank() == 1) send.wait();
    for (const float value : theirs) ASSERT_EQ(value, static_cast<float>(peer));
  });
}

// The first call of a direction is taken when the other side has made its own: whoever waits for
// that must make those of the other direction meanwhile.
TEST(NcclEmulated, FirstCallsOfBothDirectionsDoNotWaitForEachOther) {
  for (int repeat = 0; repeat < 50; ++repeat) {
    run_on_devices(2,
                   [](Communicator& world) {
                     const int peer = 1 - world.rank();
                     std::vector<float> mine(10, static_cast<float>(world.rank())), theirs(10);
                     world.barrier();
                     Request send = world.start_send(buffer_of(mine), peer, 0);
                     Request recv = world.start_recv(buffer_of(theirs), peer, 0);
                     send.wait();
                     recv.wait();
                     ASSERT_EQ(theirs[9], static_cast<float>(peer));
                   },
                   {.connect_limit_s = 2});
  }
}

// Rank 0 waits in one group for what rank 1 sends only after it has received in another.
TEST(NcclEmulated, AWaitMovesOtherGroupsOn) {
  run_on_devices(2, [](Communicator& world) {
    const std::unique_ptr<Communicator> other = world.split(0, world.rank());
    std::vector<int32_t> sent(1, 7), received(1, 0);
    if (world.rank() == 0) {
      Request send = other->start_send(buffer_of(sent), 1, 0);
      world.recv(buffer_of(received), 1, 0);
      send.wait();
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));  // rank 0 waits by now
      other->recv(buffer_of(received), 0, 0);
      world.send(buffer_of(sent), 0, 0);
    }
    EXPECT_EQ(received[0], 7);
  });
}

// One rank makes the first call of a group, to which the other comes only after it has received
// what the first has sent it.
TEST(NcclEmulated, TheFirstCallOfAGroupMovesTransfersOn) {
  for (const int sender : {0, 1}) {
    run_on_devices(
        2,
        [&](Communicator& world) {
          const std::unique_ptr<Communicator> other = world.split(0, world.rank());
          std::vector<float> sent(10, 3.0f), received(10), sum(10, 1.0f);
          if (world.rank() == sender) {
            Request send = world.start_send(buffer_of(sent), 1 - sender, 0);
            other->all_reduce(buffer_of(sum));
            send.wait();
          } else {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the sender waits by now
            world.recv(buffer_of(received), sender, 0);
            ASSERT_EQ(received[9], 3.0f);
            other->all_reduce(buffer_of(sum));
          }
          ASSERT_EQ(sum[9], 2.0f);
        },
        {.connect_limit_s = 2});
  }
}

// The same where the hosts exchange numbers: counts of a router's tokens between two stages.
TEST(NcclEmulated, CallsOfTheHostsMoveTransfersOn) {
  for (const int sender : {0, 1}) {
    cuda_emulation::run_on_gpus(2, [&](Communicator& world, DeviceContext& device) {
      const Tensor x = device.zeros({8}, DType::fp32, MemoryCategory::buffers);
      const Buffer on_device{x.raw(), x.size(), x.dtype(), x.device()};
      std::vector<int32_t> counts(2, world.rank()), received(2);
      const std::vector<int64_t> ones(2, 1);
      if (world.rank() != sender) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the sender waits by now
        world.recv(on_device, sender, 0);
      }
      Request send;
      if (world.rank() == sender) send = world.start_send(on_device, 1 - sender, 0);
      world.all_to_all({counts.data(), 2, DType::int32}, ones, {received.data(), 2, DType::int32},
                       ones);
      EXPECT_EQ(received, (std::vector<int32_t>{0, 1}));
    });
  }
}

TEST(NcclEmulated, ARankThatDoesNotComeIsAnErrorAfterTheLimit) {
  const std::string message = message_of([] {
    run_on_devices(2,
                   [](Communicator& world) {
                     std::vector<float> values(8, 1.0f);
                     if (world.rank() == 0) {
                       world.all_reduce(buffer_of(values));
                     } else {  // answers the host, but never comes to NCCL
                       std::this_thread::sleep_for(std::chrono::seconds(2));
                     }
                   },
                   {.connect_limit_s = 0.2});
  });
  EXPECT_NE(message.find("rank 0: ncclCommInitRankConfig: the group of 2 is not complete after 0.2 "
                         "s: a rank has failed or does not reach the others"),
            std::string::npos)
      << message;
  EXPECT_EQ(num_nccl_communicators(), 0);
}

TEST(NcclEmulated, AnErrorOfARemoteRankEndsAWait) {
  const std::string message = message_of([] {
    run_on_devices(2, [](Communicator& world) {
      std::vector<float> values(8, 1.0f);
      world.all_reduce(buffer_of(values));
      if (world.rank() == 1) {  // falls out of the second call
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        return cuda_emulation::break_nccl(2);
      }
      world.all_reduce(buffer_of(values));
    });
  });
  cuda_emulation::break_nccl(0);
  EXPECT_NE(message.find("rank 0: NCCL's group of 2 failed: remote process exited or there was a "
                         "network error: as the test wants (code 6)"),
            std::string::npos)
      << message;
  EXPECT_EQ(num_nccl_communicators(), 0);
}

// Calls of two groups wait for a rank that has failed: to end one waits for the device, which the
// other's keep, until both are told.
TEST(NcclEmulated, AllGroupsAreAbortedAtOnce) {
  const int before = cuda_emulation::num_stuck_aborts();
  for (const bool fails_by_itself : {false, true}) {
    const std::string message = message_of([&] {
      cuda_emulation::run_on_gpus(2, [&](Communicator& world, DeviceContext& device) {
        const Tensor x = device.zeros({8}, DType::fp32, MemoryCategory::buffers);
        const Buffer buffer{x.raw(), x.size(), x.dtype(), x.device()};
        const std::unique_ptr<Communicator> other = world.split(0, world.rank());
        world.all_reduce(buffer);
        other->all_reduce(buffer);
        device.synchronize();
        if (world.rank() == 1) {  // does not come to the second calls
          std::this_thread::sleep_for(std::chrono::milliseconds(100));
          return cuda_emulation::break_nccl(2);
        }
        Request first = world.start_all_reduce(buffer, ReduceOp::sum);
        Request second = other->start_all_reduce(buffer, ReduceOp::sum);
        if (fails_by_itself) throw Error("an op failed");
        first.wait();
        second.wait();
        device.synchronize();
      });
    });
    cuda_emulation::break_nccl(0);
    EXPECT_NE(message.find(fails_by_itself ? "an op failed" : "NCCL's group of 2 failed"),
              std::string::npos)
        << message;
    EXPECT_EQ(num_nccl_communicators(), 0);
    cuda_emulation::reset_devices();
  }
  EXPECT_EQ(cuda_emulation::num_stuck_aborts() - before, 0);
}

TEST(NcclEmulated, TwoRanksOnOneGpuAreRefusedUnlessAskedFor) {
  const auto run = [](const NcclOptions& options) {
    return message_of([&] {
      run_on_threads(3, [&](Communicator& hosts) {
        const auto backend = make_cuda_backend(hosts.rank() == 1 ? 1 : 0);
        make_nccl_communicator(hosts.split(0, hosts.rank()), *backend->streams(), options);
      });
    });
  };
  EXPECT_NE(run({}).find("ranks 0 and 2 run on one GPU, GPU-"), std::string::npos);
  EXPECT_EQ(run({.share_devices = true}), "");
}

// Control traffic: memory of the host takes the way of the hosts, without NCCL.
TEST(NcclEmulated, HostMemoryGoesByTheHosts) {
  cuda_emulation::run_on_gpus(2, [](Communicator& world, DeviceContext&) {
    std::vector<double> values(3, 1.0);
    world.all_reduce(buffer_of(values));
    EXPECT_EQ(values[2], 2.0);
    EXPECT_EQ(num_nccl_communicators(), 0);
  });
}

// A group that ends before a graph with its calls would wait for ever: the stand-in counts such.
TEST(NcclEmulated, AGraphThatOutlivesItsGroupIsSeen) {
  for (const bool outlives : {false, true}) {
    const int before = cuda_emulation::num_outlived_by_graphs();
    cuda_emulation::run_on_gpus(2, [&](Communicator& world, DeviceContext& device) {
      const Tensor x = device.zeros({8}, DType::fp32, MemoryCategory::buffers);
      std::unique_ptr<Communicator> group = world.split(0, world.rank());
      const auto reduce = [&] {
        group->all_reduce({x.raw(), x.size(), x.dtype(), Device::cuda}, ReduceOp::sum);
      };
      reduce();
      std::unique_ptr<DeviceGraph> graph = device.backend().graphs()->capture(reduce);
      if (!outlives) graph.reset();
      group.reset();
    });
    EXPECT_EQ(cuda_emulation::num_outlived_by_graphs() - before, outlives ? 2 : 0);
  }
  cuda_emulation::reset_devices();
}

// An abort, too, lasts until graphs with the group's calls are gone; those who hold them hear of
// the error only when the abort returns.
TEST(NcclEmulated, AnErrorDoesNotWaitForGraphs) {
  constexpr double kSoonS = 20;
  const int before = cuda_emulation::num_stuck_aborts();
  const Clock::time_point begin = Clock::now();
  const std::string message = message_of([] {
    cuda_emulation::run_on_gpus(2, [](Communicator& world, DeviceContext& device) {
      const Tensor x = device.zeros({8}, DType::fp32, MemoryCategory::buffers);
      const auto reduce = [&] {
        world.all_reduce({x.raw(), x.size(), x.dtype(), Device::cuda}, ReduceOp::sum);
      };
      reduce();
      const std::unique_ptr<DeviceGraph> graph = device.backend().graphs()->capture(reduce);
      cuda_emulation::break_nccl(2);
      reduce();
    });
  });
  EXPECT_LT(seconds_since(begin), kSoonS);
  cuda_emulation::break_nccl(0);
  EXPECT_NE(message.find("NCCL's group of 2 failed"), std::string::npos) << message;
  EXPECT_EQ(num_nccl_communicators(), 0);
  EXPECT_EQ(cuda_emulation::num_stuck_aborts() - before, 0);
  cuda_emulation::reset_devices();
}

}  // namespace

void PrintTo(const ConformanceCheck& check, std::ostream* out) {
  *out << check.name;
}

}  // namespace argosy
