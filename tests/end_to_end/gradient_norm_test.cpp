// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The norm that a step reports, and clips by, is that of the gradients its optimizer reads, in the
// precisions that people train in: in bf16 some squares are summed by the product that wrote a
// gradient last, and only where this rank has the whole gradient by then.
#include <gtest/gtest.h>

#include <cmath>
#include <mutex>

#include "comm/thread/thread_communicator.h"
#include "tests/end_to_end/layout_run.h"
#include "tests/end_to_end/layouts.h"

namespace argosy {
namespace {

double norm_of_mean(const LayoutRecord& record) {
  double sum = 0;
  for (const auto& [name, elements] : record.gradients) {
    for (const double x : elements) sum += x * x;
  }
  return std::sqrt(sum) / static_cast<double>(record.num_targets);
}

class GradientNorm : public testing::TestWithParam<const char*> {};

TEST_P(GradientNorm, IsOfTheGradientsThatTheOptimizerReads) {
  for (const Precision precision : {Precision::bf16, Precision::fp32}) {
    Plan plan = plan_of(layout_named(GetParam()));
    plan.precision = precision;
    std::mutex mutex;
    run_on_threads(static_cast<int>(plan.mesh.world_size()), [&](Communicator& world) {
      const LayoutRecord record = run_layout(world, plan, 3);
      const std::lock_guard<std::mutex> lock(mutex);
      const double expected = norm_of_mean(record);
      EXPECT_GT(expected, 1e-3);
      // Squares are summed in fp32 inside of a tile.
      EXPECT_NEAR(record.grad_norms.back(), expected, 1e-5 * expected) << to_string(precision);
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Table, GradientNorm,
                         testing::Values("accumulate", "accumulate_recompute", "gpt2_one_rank",
                                         "moe_accumulate", "moe_recompute", "shared_one_rank",
                                         "pp2_tied", "pp3_1f1b_fewer_microbatches", "dp2",
                                         "dp3_zero1", "tp2_sp", "moe_dp2_ep2", "lora_accumulate"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace argosy
