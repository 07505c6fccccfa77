// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/router_totals.h"

#include "tests/trainer/ops/op_fixture.h"

namespace argosy::ops {
namespace {

class RouterTotalsOps : public OpTest {};

TEST_F(RouterTotalsOps, BiasGrowsBelowTheMeanAndShrinksAboveIt) {
  // Means: 10 / 3 and 4.
  const std::vector<double> choices = {3, 3, 4, 4, 4, 4};
  for (const DType dtype : {DType::fp32, DType::fp64}) {
    const Tensor bias = make({2, 3}, dtype, {0, 1, 2, 3, 4, 5});
    balance_bias(ctx, choices, 0.25, bias);
    EXPECT_EQ(values_of(bias), Values({0.25, 1.25, 1.75, 3, 4, 5}));
  }
}

TEST_F(RouterTotalsOps, SharesOfEachLayerSumToOneAndStayWithoutChoices) {
  const Tensor shares = make({2, 2}, DType::fp64, {9, 9, 0.25, 0.75});
  assign_shares(ctx, {1, 3, 0, 0}, shares);
  EXPECT_EQ(values_of(shares), Values({0.25, 0.75, 0.25, 0.75}));
}

// With the shares of a sequence spread over its choices the loss is that of its own counts.
TEST_F(RouterTotalsOps, SpreadSharesAreTheCountsOfASequenceLikeThat) {
  const int64_t seq_len = 8, k = 2;
  const Tensor counts = make({2, 2}, DType::fp64, {4, 12, 4, 12});
  const Tensor spread = poisoned({2, 2}, DType::fp64);
  spread_shares(ctx, make({2}, DType::fp64, {0.25, 0.75}), seq_len * k, spread);
  EXPECT_EQ(values_of(spread), values_of(counts));
  const Tensor sums = random({2, 2}, DType::fp64, 1), unmasked = make({2}, DType::fp64, {3, 8});
  const Tensor of_spread = make({4}, DType::fp64, {0, 0, 0, 0}),
               of_counts = make({4}, DType::fp64, {0, 0, 0, 0});
  add_aux_loss(ctx, spread, sums, unmasked, k, seq_len, of_spread);
  add_aux_loss(ctx, counts, sums, unmasked, k, seq_len, of_counts);
  EXPECT_NE(values_of(of_counts)[2], 0);
  EXPECT_EQ(values_of(of_spread), values_of(of_counts));
}

TEST_F(RouterTotalsOps, TotalsAddUpSideBySide) {
  const Tensor totals = make({4}, DType::fp64, {1, 2, 3, 4});
  add_choices(ctx, make({2, 2}, DType::fp32, {1, 2, 3, 4}), totals);
  // f = (1/4, 3/4), P = (1/2, 1/4): 5 * 2 * (1/8 + 3/16).
  add_aux_loss(ctx, make({1, 2}, DType::fp32, {2, 6}), make({1, 2}, DType::fp32, {2, 1}),
               make({1}, DType::fp32, {5}), 2, 4, totals);
  add_z_loss(ctx, make({3}, DType::fp32, {1, 2, 3}), make({3}, DType::fp32, {1, 0, 1}), totals);
  EXPECT_EQ(values_of(totals), Values({5, 8, 6.125, 14}));
}

}  // namespace
}  // namespace argosy::ops
