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
  EXPECT_EQ(aux_loss(ctx, spread, sums, unmasked, k, seq_len),
            aux_loss(ctx, counts, sums, unmasked, k, seq_len));
}

}  // namespace
}  // namespace argosy::ops
