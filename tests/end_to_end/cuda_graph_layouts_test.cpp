// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Captured steps on emulated GPUs are equal to the bit to those that run op by op, in every layout
// that can be captured.
#include "tests/end_to_end/graph_steps.h"
#include "tests/support/cuda_emulation/graphs.h"
#include "tests/support/cuda_emulation/nccl.h"
#include "tests/support/cuda_emulation/streams.h"

namespace argosy {
namespace {

using cuda_emulation::Timing;

struct Case {
  const char* layout;
  Timing timing;
  Precision precision = Precision::fp32;
  int64_t num_steps = 6;
};
void PrintTo(const Case& one, std::ostream* out) {
  *out << one.layout;
}

class CudaGraphLayouts : public testing::TestWithParam<Case> {
 public:
  ~CudaGraphLayouts() override { cuda_emulation::reset_devices(); }
};

// The learning rate differs from step to step, and evaluations come before the capture, right
// before it, and between launches.
TEST_P(CudaGraphLayouts, EqualThoseWithoutToTheBit) {
  const Case& one = GetParam();
  const Plan plan = plan_in(one.precision, one.layout);
  const Record without = train(plan, settings_for(one.layout),
                               {.num_steps = one.num_steps, .evaluate_after = {0, 3, 5}});
  cuda_emulation::set_timing(one.timing, 5);
  const int64_t launches = cuda_emulation::num_graph_launches();
  const Record with =
      train(plan, settings_for(one.layout),
            {.num_steps = one.num_steps, .graphs = CudaGraphs::on, .evaluate_after = {0, 3, 5}});
  expect_equal(with, without);
  EXPECT_EQ(cuda_emulation::num_graph_launches() - launches,
            2 * (one.num_steps - kStepsBeforeGraphs) * plan.mesh.world_size());
  for (const GraphFacts& facts : with.graphs) {
    EXPECT_EQ(facts.after_step, kStepsBeforeGraphs);
    EXPECT_GT(facts.num_nodes, 50);
  }
  EXPECT_EQ(cuda_emulation::num_outlived_by_graphs(), 0);
}

constexpr auto kLate = Timing::late, kComputeLate = Timing::compute_late,
               kOthersLate = Timing::others_late, kSeeded = Timing::seeded;
INSTANTIATE_TEST_SUITE_P(
    Table, CudaGraphLayouts,
    testing::Values(Case{"accumulate", kLate, Precision::bf16, 20},
                    Case{"gpt2_one_rank", kSeeded, Precision::fp32},
                    Case{"accumulate_recompute", kLate, Precision::bf16}, Case{"dp2", kOthersLate},
                    Case{"dp2_zero1_adamw", kSeeded, Precision::bf16, 20},
                    Case{"zero2_dp2", kComputeLate}, Case{"zero3_dp2", kSeeded, Precision::bf16},
                    Case{"zero3_shard2_dp4_tied", kOthersLate}, Case{"tp2", kSeeded},
                    Case{"tp2_sp_dp2_zero1", kComputeLate, Precision::bf16},
                    Case{"tp4_sp_kv_copies", kOthersLate}, Case{"ulysses2", kSeeded},
                    Case{"lora_tp2_sp", kOthersLate, Precision::bf16},
                    Case{"nf4_zero3_dp2", kComputeLate, Precision::bf16},
                    Case{"dropout_accumulate_full", kSeeded},
                    Case{"dropout_dp2_zero1_gpt2", kOthersLate}),
    [](const auto& test) { return std::string(test.param.layout); });

}  // namespace
}  // namespace argosy
