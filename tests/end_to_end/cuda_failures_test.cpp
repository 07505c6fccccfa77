// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One emulated GPU fails in the middle of a step: every rank ends, soon, and the one that failed
// says why.
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "planner/spec/clock.h"
#include "tests/end_to_end/layout_run.h"
#include "tests/end_to_end/layouts.h"
#include "tests/support/cuda_emulation/gpu_ranks.h"
#include "tests/support/cuda_emulation/nccl.h"
#include "tests/support/cuda_emulation/streams.h"

namespace argosy {
namespace {

constexpr double kSoonS = 150;  // on a busy machine too; the watchdog's patience is 600
// A rank that waits for NCCL to reach one that has gone knows by this limit; mpirun ends it before.
constexpr NcclOptions kOptions = {.connect_limit_s = 15};

struct Ending {
  size_t num_ranks = 0;
  std::string first;                   // what the job reports
  std::map<int, std::string> by_rank;  // what each rank ended with; empty: it ran through
};

// Calls `fault` on one rank inside of a backward of the layout's second step.
Ending run_with(const char* name, int failing_rank, const std::function<void()>& fault,
                cuda_emulation::Timing timing) {
  const Layout& layout = layout_named(name);
  Plan plan = plan_of(layout);
  plan.precision = Precision::fp32;
  Ending ending;
  std::mutex mutex;
  cuda_emulation::set_timing(timing, 1);
  const Clock::time_point begin = Clock::now();
  try {
    cuda_emulation::run_on_gpus(
        static_cast<int>(plan.mesh.world_size()),
        [&](Communicator& world, DeviceContext& device) {
          TrainerSettings settings = settings_of(layout);
          int num_backwards = 0;
          settings.compute_hook = [&](const Action& action) {
            if (action.kind != ActionKind::backward || world.rank() != failing_rank) return;
            if (++num_backwards == plan.num_microbatches() + 1) fault();
          };
          try {
            run_layout(world, device, plan, settings, 2);
          } catch (const std::exception& error) {
            const std::lock_guard lock(mutex);
            ending.by_rank[world.rank()] = error.what();
            throw;
          }
        },
        kOptions);
  } catch (const std::exception& error) {
    ending.first = error.what();
  }
  EXPECT_LT(seconds_since(begin), kSoonS);
  ending.num_ranks = static_cast<size_t>(plan.mesh.world_size());
  EXPECT_EQ(cuda_emulation::num_nccl_communicators(), 0);
  cuda_emulation::break_nccl(0);
  cuda_emulation::reset_devices();
  return ending;
}

void expect_in(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

void expect_all_ended(const Ending& ending) {
  EXPECT_EQ(ending.by_rank.size(), ending.num_ranks) << "a rank ran through";
  EXPECT_NE(ending.first, "");
}

const auto kLayouts = testing::Values("tp2_sp_dp2_zero1", "zero3_dp4_gpt2", "pp2_tp2_sp_tied_zero1",
                                      "moe_dp4_ep2_zero1");
class CudaFailures : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Layouts, CudaFailures, kLayouts,
                         [](const auto& test) { return std::string(test.param); });

// Somewhere between the first block and the last. The pool gives back what nobody uses first: with
// a little less than it takes by itself a step gets through, so there is much less.
TEST_P(CudaFailures, OutOfMemory) {
  const auto nothing = [] {};
  EXPECT_EQ(run_with(GetParam(), 1, nothing, cuda_emulation::Timing::early).first, "");
  const int64_t all_bytes = cuda_emulation::peak_bytes_of_device(1);
  for (const double share : {0.3, 0.5}) {
    cuda_emulation::set_device_bytes(1,
                                     static_cast<int64_t>(share * static_cast<double>(all_bytes)));
    const Ending ending = run_with(GetParam(), 1, nothing, cuda_emulation::Timing::others_late);
    SCOPED_TRACE(share);
    expect_all_ended(ending);
    expect_in(ending.by_rank.at(1), "out of device memory: ");
    expect_in(ending.by_rank.at(1), "what would help: ");
  }
}

TEST_P(CudaFailures, AnOpFailsWhileOthersAreUnderWay) {
  const Ending ending = run_with(
      GetParam(), 1, [] { cuda_emulation::fail_later(1, 20, cudaErrorIllegalAddress); },
      cuda_emulation::Timing::seeded);
  expect_all_ended(ending);
  expect_in(ending.by_rank.at(1), "CUDA device 1: ");
  expect_in(ending.by_rank.at(1), "an illegal memory access was encountered (code 700)");
}

TEST_P(CudaFailures, NcclFailsOnOneRank) {
  const int group = GetParam() == std::string("zero3_dp4_gpt2") ? 4 : 2;
  const Ending ending = run_with(
      GetParam(), 0, [&] { cuda_emulation::break_nccl(group, 0); }, cuda_emulation::Timing::seeded);
  expect_all_ended(ending);
  expect_in(ending.by_rank.at(0),
            "failed: remote process exited or there was a network error: as the test wants");
}

}  // namespace
}  // namespace argosy
