// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a step on emulated GPUs asks of its host and says of its time. A task of a stream takes a
// microsecond there.
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "planner/report/timeline_kind.h"
#include "tests/end_to_end/counted_tokens.h"
#include "tests/end_to_end/layouts.h"
#include "tests/support/cuda_emulation/gpu_ranks.h"
#include "tests/support/cuda_emulation/streams.h"
#include "trainer/trainer.h"

namespace argosy {
namespace {

using cuda_emulation::HostWaits;

class CudaSteps : public testing::Test {
 protected:
  ~CudaSteps() override { cuda_emulation::reset_devices(); }

  // after(rank, step, result) on each rank after each step, one at a time.
  template <typename After>
  void train(const char* layout_name, int num_steps, const After& after) {
    const Layout& layout = layout_named(layout_name);
    Plan plan = plan_of(layout);
    plan.precision = Precision::fp32;
    TrainerSettings settings = settings_of(layout);
    settings.check_replicas_every = 0;  // a guard downloads every tensor
    std::mutex mutex;
    cuda_emulation::run_on_gpus(
        static_cast<int>(plan.mesh.world_size()),
        [&](Communicator& world, DeviceContext& device) {
          Trainer trainer(device, world, plan, settings);
          const CountedTokens tokens(plan.model.vocab_size);
          const SampleOrder order(tokens.num_tokens(), plan.seq_len, 7, "counted tokens");
          for (int step = 1; step <= num_steps; ++step) {
            const StepResult result = trainer.step(tokens, order, step, 0.01);
            const std::lock_guard lock(mutex);
            after(world.rank(), step, result);
          }
        },
        {}, &waits_);
  }

  std::vector<HostWaits> waits_;  // [rank]
};

// The sums of the step, and its end: nothing between norm and update, no loss of a micro-batch. A
// host that updates asks for the factor of the gradients too.
TEST_F(CudaSteps, WaitForTheDeviceOnce) {
  for (const char* layout :
       {"accumulate", "dp2", "dp2_zero1_adamw", "zero3_dp2", "offload_dp3_zero1"}) {
    SCOPED_TRACE(layout);
    const int64_t num_downloads = std::string_view(layout).starts_with("offload") ? 2 : 1;
    std::vector<HostWaits> before(8);
    train(layout, 3, [&](int rank, int step, const StepResult&) {
      const HostWaits now = waits_[static_cast<size_t>(rank)];
      HostWaits& last = before[static_cast<size_t>(rank)];
      if (step > 1) {
        EXPECT_EQ(now.downloads - last.downloads, num_downloads) << "rank " << rank;
        EXPECT_EQ(now.synchronizations - last.synchronizations, 1) << "rank " << rank;
      }
      last = now;
    });
  }
}

TEST_F(CudaSteps, TellTheirTimeByTheDevicesClock) {
  cuda_emulation::set_timing(cuda_emulation::Timing::seeded, 3);
  for (const char* layout : {"dp2_zero1_adamw", "tp2_sp_dp2_zero1", "pp2_1f1b"}) {
    SCOPED_TRACE(layout);
    train(layout, 2, [&](int rank, int, const StepResult& result) {
      const Timeline& timeline = result.timeline;
      EXPECT_NEAR(total_s(result.parts), timeline.step_s, 1e-9) << "rank " << rank;
      int64_t num_collectives = 0, num_passes = 0;
      for (const TimelineEvent& event : timeline.events) {
        EXPECT_GE(event.start_s, 0) << event.name;
        EXPECT_LE(event.start_s, event.end_s) << event.name;
        EXPECT_LE(event.end_s, timeline.step_s + 1e-9) << event.name;
        const EventKind kind = event_kind(event.name);
        if (kind == EventKind::collective) ++num_collectives;
        if (kind == EventKind::forward || kind == EventKind::backward) {
          ++num_passes;
          // Several tasks of a microsecond each: more than no time, which a missing stamp would
          // say.
          EXPECT_GT(event.end_s - event.start_s, 2e-6) << event.name;
        }
      }
      EXPECT_GT(num_collectives, 0);
      EXPECT_GT(num_passes, 0);
      EXPECT_GT(result.parts.compute_s, 0);
      EXPECT_GT(result.ops.matmul_s, 0);
    });
  }
}

}  // namespace
}  // namespace argosy
