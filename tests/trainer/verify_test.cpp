// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/verify.h"

#include <gtest/gtest.h>

#include <cmath>

#include "comm/thread/thread_communicator.h"

namespace argosy {
namespace {

// Each of two ranks stands for two columns of a (2, 4) tensor of 0, 1, 2, ...
std::vector<double> assembled(bool one_has_two_owners) {
  TensorSpec spec;
  spec.name = "w";
  spec.rows = 2;
  spec.cols = 4;
  std::vector<double> result;
  run_on_threads(2, [&](Communicator& world) {
    const int64_t first = 2 * world.rank();
    std::vector<float> data;
    for (int64_t r = 0; r < 2; ++r) {
      for (int64_t c = first; c < first + 2; ++c) data.push_back(static_cast<float>(4 * r + c));
    }
    float extra = 7;
    std::vector<TensorPiece> pieces = {
        {"w", "gradient", 2, 4, DType::fp32, {{0, 2}, {first, first + 2}}, data.data()},
        {"w", "parameter", 2, 4, DType::fp32, {{0, 1}, {0, 1}}, &extra}};
    if (one_has_two_owners) pieces[1].kind = "gradient";
    const std::vector<double> whole = assemble(world, spec, pieces, "gradient");
    if (world.rank() == 0) result = whole;
  });
  return result;
}

TEST(Verify, AssemblesWholeTensorsFromPieces) {
  EXPECT_EQ(assembled(false), (std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(assembled(true)[0], 14) << "two owners must show";
}

TEST(Verify, NamesTheLargestDifference) {
  const Difference d = largest_difference("w", {1, -4, 2}, {1, -4.5, 2.25}, 1e-3);
  EXPECT_EQ(d.element, 1U);
  EXPECT_DOUBLE_EQ(d.max_abs, 0.5);
  EXPECT_DOUBLE_EQ(d.relative, 0.5 / 4);
  EXPECT_DOUBLE_EQ(d.relative_rms, std::sqrt((0.25 + 0.0625) / 21));
  EXPECT_EQ(describe(d), "w[1]: -4.5, one rank has -4, relative difference 0.125");
  EXPECT_EQ(largest_difference("w", {0, 0}, {0, 0}, 0).relative, 0);
  EXPECT_TRUE(std::isinf(largest_difference("w", {1, 2}, {1, NAN}, 0).relative));
  EXPECT_TRUE(std::isinf(largest_difference("w", {0}, {1e-30}, 0).relative));
}

TEST(Verify, AdamWMayMoveByItsNoise) {
  EXPECT_EQ(update_allowance(OptimizerKind::sgd, 0.1, 1e-8, 1), 0);
  EXPECT_DOUBLE_EQ(update_allowance(OptimizerKind::adamw, 0.1, 1e-8, 1), 0.2);
  EXPECT_DOUBLE_EQ(update_allowance(OptimizerKind::adamw, 0.1, 1e-8, 1e-12), 1e-5);
}

TEST(Verify, OneRankHasNothingToShare) {
  Plan plan;
  plan.model.num_layers = 3;
  plan.mesh = {.tp = 2, .pp = 3};
  plan.zero_stage = 1;
  plan.sequence_parallel = true;
  plan.micro_batch = 2;
  plan.offload = Offload::optimizer;
  const Plan one = single_rank(plan);
  EXPECT_EQ(one.mesh.world_size(), 1);
  EXPECT_EQ(one.zero_stage, 0);
  EXPECT_FALSE(one.sequence_parallel);
  EXPECT_EQ(one.layers_per_stage, std::vector<int64_t>{3});
  EXPECT_EQ(one.micro_batch, 2);
  EXPECT_EQ(one.offload, Offload::none);
}

}  // namespace
}  // namespace argosy
