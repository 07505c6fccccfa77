// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/message/reduce.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

#include "tests/comm/conformance_data.h"

namespace argosy {
namespace {

TEST(ReduceInOrder, AddsFirstToLast) {
  // (2^60 + 1) - 2^60 is 0 in fp32, 2^60 - 2^60 + 1 is 1.
  const float big = std::ldexp(1.0f, 60), one = 1.0f, minus = -big;
  float result = 0;
  reduce_in_order(std::array<const void*, 3>{&big, &one, &minus}, &result, 1, DType::fp32,
                  ReduceOp::sum);
  EXPECT_EQ(result, 0.0f);
  reduce_in_order(std::array<const void*, 3>{&big, &minus, &one}, &result, 1, DType::fp32,
                  ReduceOp::sum);
  EXPECT_EQ(result, 1.0f);
}

TEST(ReduceInOrder, WorksInPlaceOverManyTiles) {
  constexpr int64_t kCount = 5003;
  std::vector<double> a = values_of<double>(0, kCount), b = values_of<double>(1, kCount);
  reduce_in_order(std::array<const void*, 2>{a.data(), b.data()}, b.data(), kCount, DType::fp64,
                  ReduceOp::sum);
  for (int64_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(b[static_cast<size_t>(i)], sum_of_ranks<double>(2, i)) << i;
  }
}

TEST(ReduceInOrder, IntegersWrapAndKeepTheirSign) {
  const std::array<int32_t, 2> a = {std::numeric_limits<int32_t>::max(), -7}, b = {1, -9};
  std::array<int32_t, 2> result{};
  const std::array<const void*, 2> inputs = {a.data(), b.data()};
  reduce_in_order(inputs, result.data(), 2, DType::int32, ReduceOp::sum);
  EXPECT_EQ(result[0], std::numeric_limits<int32_t>::min());
  EXPECT_EQ(result[1], -16);
  reduce_in_order(inputs, result.data(), 2, DType::int32, ReduceOp::max);
  EXPECT_EQ(result[1], -7);
}

TEST(ReduceInOrder, NanWinsMaxOnEitherSide) {
  const std::array<float, 2> a = {std::nanf(""), 1.0f}, b = {1.0f, std::nanf("")};
  std::array<float, 2> result{};
  reduce_in_order(std::array<const void*, 2>{a.data(), b.data()}, result.data(), 2, DType::fp32,
                  ReduceOp::max);
  EXPECT_TRUE(std::isnan(result[0]));
  EXPECT_TRUE(std::isnan(result[1]));
}

}  // namespace
}  // namespace argosy
