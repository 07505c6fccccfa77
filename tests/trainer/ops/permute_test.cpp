// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/permute.h"

#include <numeric>

#include "tests/trainer/ops/op_fixture.h"

namespace argosy::ops {
namespace {

class Permute : public OpTest {
 protected:
  // 4 tokens, 2 choices of 3 experts; expert 1 gets nothing.
  const Values chosen = {2, 0, 0, 2, 2, 0, 0, 2};
};

TEST_F(Permute, SortsStablyAndCounts) {
  const Tensor order = poisoned({8}, DType::int32);
  const auto counts = sort_by_expert(ctx, ids({4, 2}, chosen), 3, order);
  EXPECT_EQ(counts, (std::vector<int64_t>{4, 0, 4}));
  EXPECT_EQ(values_of(order), Values({1, 2, 5, 6, 0, 3, 4, 7}));
  EXPECT_THROW(sort_by_expert(ctx, ids({4, 2}, chosen), 2, order), std::logic_error);
}

// Two sequences of 3 tokens, 2 choices of 3 experts, rows in another order than the tokens.
TEST_F(Permute, CapacityDropsLaterTokensOfASequence) {
  const Tensor tokens = ids({6}, {3, 4, 0, 2, 1, 5});
  const Tensor experts = ids({6, 2}, {0, 1, 0, 2, 0, 2, 0, 2, 0, 1, 1, 0});
  const Tensor routed = poisoned({6, 2}, DType::int32);
  drop_beyond_capacity(ctx, tokens, experts, 3, 3, 2, 0, routed);
  // Token 2 is the third of the first sequence at expert 0, token 5 of the second.
  EXPECT_EQ(values_of(routed), Values({0, 1, 0, 2, 0, 2, -1, 2, 0, 1, 1, -1}));
  const Tensor part = poisoned({2, 2}, DType::int32);
  drop_beyond_capacity(ctx, tokens, experts, 3, 3, 2, 3, part);
  EXPECT_EQ(values_of(part), Values({-1, 2, 0, 1}));
}

// y = sum over the kept choices of weight * row, and its gradients; dropped choices get none.
TEST_F(Permute, DroppedChoicesContributeNothing) {
  const int64_t tokens = 3, k = 2, width = 4, kept = 4;
  const Tensor order = poisoned({tokens * k}, DType::int32);
  const auto counts = sort_by_expert(ctx, ids({3, 2}, {1, 0, -1, 1, 0, -1}), 2, order);
  EXPECT_EQ(counts, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(values_of(order), Values({1, 4, 0, 3, 2, 5}));
  const Tensor x = random({tokens, width}, DType::fp64, 1);
  const Tensor rows = poisoned({kept, width}, DType::fp64);
  dispatch_rows(ctx, x, order, k, rows);
  const Tensor weights = random({tokens, k}, DType::fp64, 2), y = poisoned(x.shape(), DType::fp64);
  const Tensor dy = random(x.shape(), DType::fp64, 3);
  const Tensor drows = poisoned(rows.shape(), DType::fp64);
  const Tensor dweights = poisoned(weights.shape(), DType::fp64);
  combine_rows_backward(ctx, dy, rows, order, weights, drows, dweights);
  const auto loss = [&] {
    combine_rows(ctx, rows, order, weights, y);
    return dot(values_of(y), values_of(dy));
  };
  expect_gradient(rows, values_of(drows), loss);
  expect_gradient(weights, values_of(dweights), loss);
  EXPECT_EQ(values_of(dweights)[2], 0.0);
  const Tensor dx = filled(ctx, x.shape(), DType::fp64, 0.0);
  dispatch_rows_backward(ctx, drows, order, k, dx);
  expect_gradient(x, values_of(dx), [&] {
    dispatch_rows(ctx, x, order, k, rows);
    return dot(values_of(rows), values_of(drows));
  });
}

TEST_F(Permute, DispatchThenCombineWeighsEachToken) {
  for (DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
    const DType statistic = dtype == DType::fp64 ? DType::fp64 : DType::fp32;
    const Tensor order = poisoned({8}, DType::int32), x = random({4, 5}, dtype, 1);
    sort_by_expert(ctx, ids({4, 2}, chosen), 3, order);
    const Tensor rows = poisoned({8, 5}, dtype), y = poisoned({4, 5}, dtype);
    dispatch_rows(ctx, x, order, 2, rows);
    // 0.75 + 0.25 = 1 exactly: the round trip is the identity.
    const Tensor weights = make({4, 2}, statistic, {.75, .25, .5, .5, 1, 0, .25, .75});
    combine_rows(ctx, rows, order, weights, y);
    expect_near(values_of(y), values_of(x), tolerance_of(dtype));
  }
}

TEST_F(Permute, BackwardsMatchFiniteDifferences) {
  const Tensor order = poisoned({8}, DType::int32);
  sort_by_expert(ctx, ids({4, 2}, chosen), 3, order);
  const Tensor rows = random({8, 3}, DType::fp64, 1), weights = random({4, 2}, DType::fp64, 2);
  const Tensor dy = random({4, 3}, DType::fp64, 3), y = poisoned({4, 3}, DType::fp64);
  const Tensor drows = poisoned({8, 3}, DType::fp64), dweights = poisoned({4, 2}, DType::fp64);
  combine_rows_backward(ctx, dy, rows, order, weights, drows, dweights);
  const auto combined = [&] {
    combine_rows(ctx, rows, order, weights, y);
    return dot(values_of(y), values_of(dy));
  };
  expect_gradient(rows, values_of(drows), combined);
  expect_gradient(weights, values_of(dweights), combined);

  const Tensor x = random({4, 3}, DType::fp64, 4), sent = poisoned({8, 3}, DType::fp64);
  const Tensor dx = filled(ctx, {4, 3}, DType::fp64, 0.0);
  dispatch_rows_backward(ctx, rows, order, 2, dx);
  expect_gradient(x, values_of(dx), [&] {
    dispatch_rows(ctx, x, order, 2, sent);
    return dot(values_of(sent), values_of(rows));
  });
  const Values once = values_of(dx);
  dispatch_rows_backward(ctx, rows, order, 2, dx);  // adds
  EXPECT_NEAR(values_of(dx)[7], 2 * once[7], 1e-12);
}

TEST_F(Permute, AllTokensToOneExpertOverManyColumns) {
  const int64_t tokens = 97, width = 700;  // more columns than a chunk of the kernel
  const Tensor order = poisoned({tokens}, DType::int32);
  const auto counts = sort_by_expert(ctx, filled(ctx, {tokens, 1}, DType::int32, 2), 4, order);
  EXPECT_EQ(counts, (std::vector<int64_t>{0, 0, tokens, 0}));
  const Tensor x = random({tokens, width}, DType::fp32, 1);
  expect_same_on_any_threads([&] {
    const Tensor rows = poisoned({tokens, width}, DType::fp32), y = poisoned(x.shape(), x.dtype());
    dispatch_rows(ctx, x, order, 1, rows);
    combine_rows(ctx, rows, order, filled(ctx, {tokens, 1}, DType::fp32, 1.0), y);
    EXPECT_EQ(values_of(y), values_of(x));
    return values_of(y);
  });
}

// More tokens than a block of the kernel, some choices not kept.
TEST_F(Permute, CombineBackwardOfManyTokens) {
  const int64_t tokens = 700, width = 700, k = 3;
  Values experts(static_cast<size_t>(tokens * k));
  for (size_t slot = 0; slot < experts.size(); ++slot)
    experts[slot] = static_cast<double>((slot * slot + slot / 7) % 6) - 1;
  for (const DType dtype : {DType::fp32, DType::bf16}) {
    const Tensor order = poisoned({tokens * k}, DType::int32);
    const auto counts = sort_by_expert(ctx, ids({tokens, k}, experts), 5, order);
    const int64_t kept = std::accumulate(counts.begin(), counts.end(), int64_t{0});
    ASSERT_LT(kept, tokens * k);
    const Tensor dy = random({tokens, width}, dtype, 1), rows = random({kept, width}, dtype, 2);
    const Tensor weights = random({tokens, k}, DType::fp32, 3);
    expect_same_on_any_threads([&] {
      const Tensor drows = poisoned(rows.shape(), dtype);
      const Tensor dweights = poisoned(weights.shape(), DType::fp32);
      combine_rows_backward(ctx, dy, rows, order, weights, drows, dweights);
      const Values grad = values_of(dy), row = values_of(rows), weight = values_of(weights);
      const Values slots = values_of(order);
      Values expected_rows, expected_weights(experts.size(), 0.0);
      for (size_t i = 0; i < static_cast<size_t>(kept); ++i) {
        const auto slot = static_cast<size_t>(slots[i]);
        for (size_t c = 0; c < static_cast<size_t>(width); ++c) {
          const double g = grad[slot / static_cast<size_t>(k) * static_cast<size_t>(width) + c];
          expected_rows.push_back(weight[slot] * g);
          expected_weights[slot] += g * row[i * static_cast<size_t>(width) + c];
        }
      }
      expect_near(values_of(drows), expected_rows, tolerance_of(dtype));
      expect_near(values_of(dweights), expected_weights, 1e-3);
      Values result = values_of(drows), dots = values_of(dweights);
      result.insert(result.end(), dots.begin(), dots.end());
      return result;
    });
  }
}

TEST_F(Permute, PermutationAndItsInverse) {
  const std::vector<int32_t> index = {2, 0, 1};
  const Tensor x = make({3, 2}, DType::bf16, {0, 1, 2, 3, 4, 5}), y = poisoned({3, 2}, DType::bf16);
  permute_rows(ctx, x, index, y);
  EXPECT_EQ(values_of(y), Values({4, 5, 0, 1, 2, 3}));
  const Tensor back = poisoned({3, 2}, DType::bf16);
  unpermute_rows(ctx, y, index, back);
  EXPECT_EQ(values_of(back), values_of(x));
}

TEST_F(Permute, NoTokens) {
  const Tensor order = poisoned({0}, DType::int32), none = poisoned({0, 3}, DType::fp32);
  const auto counts = sort_by_expert(ctx, ids({0, 2}, {}), 2, order);
  EXPECT_EQ(counts, (std::vector<int64_t>{0, 0}));
  const Tensor weights = poisoned({0, 2}, DType::fp32);
  dispatch_rows(ctx, none, order, 2, none);
  combine_rows(ctx, none, order, weights, none);
  dispatch_rows_backward(ctx, none, order, 2, none);
  combine_rows_backward(ctx, none, none, order, weights, none, weights);
  permute_rows(ctx, none, {}, none);
}

TEST_F(Permute, SwapLeadingTransposesBlocks) {
  for (DType dtype : {DType::fp64, DType::bf16, DType::int32}) {
    const Tensor x = make({2, 3, 2}, dtype, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    const Tensor y = poisoned({3, 2, 2}, dtype), back = poisoned({2, 3, 2}, dtype);
    swap_leading(ctx, x, y);
    EXPECT_EQ(values_of(y), Values({0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11}));
    swap_leading(ctx, y, back);
    EXPECT_EQ(values_of(back), values_of(x));
    EXPECT_THROW(swap_leading(ctx, x, poisoned({2, 3, 2}, dtype)), std::logic_error);
  }
}

TEST_F(Permute, WorkspaceIsGivenBack) {
  const Tensor order = ids({2}, {1, 0}), rows = random({2, 2}, DType::fp32, 1);
  const Tensor dx = filled(ctx, {2, 2}, DType::fp32, 0.0);
  const auto workspace = static_cast<size_t>(MemoryCategory::workspace);
  const int64_t before = ctx.memory().current[workspace];
  dispatch_rows_backward(ctx, rows, order, 1, dx);
  EXPECT_EQ(ctx.memory().current[workspace], before);
  EXPECT_GE(ctx.memory().peak[workspace], before + 2 * 4);  // positions, int32
}

}  // namespace
}  // namespace argosy::ops
