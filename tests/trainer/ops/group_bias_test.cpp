// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/group_bias.h"

#include "tests/trainer/ops/op_fixture.h"

namespace argosy {
namespace {

const DType kDTypes[] = {DType::fp64, DType::fp32, DType::bf16};
DType statistic(DType dtype) {
  return dtype == DType::fp64 ? DType::fp64 : DType::fp32;
}

// Groups without rows at both ends and between; one of more rows than a block of a sum.
const std::vector<int64_t> kRows = {0, 3, 0, 131, 1, 0};
constexpr int64_t kNumRows = 135, kCols = 37;

class GroupBias : public OpTest {
 protected:
  std::vector<Tensor> biases(DType dtype) {
    std::vector<Tensor> list;
    for (uint32_t g = 0; g < kRows.size(); ++g)
      list.push_back(make({kCols}, dtype, random_values(kCols, 10 + g)));
    return list;
  }
};

// body(g, i) for each element i of (kNumRows, kCols), in group g.
template <typename Body>
void for_elements_of_groups(const Body& body) {
  size_t i = 0;
  for (size_t g = 0; g < kRows.size(); ++g) {
    for (int64_t left = kRows[g] * kCols; left > 0; --left) body(g, i++);
  }
}

TEST_F(GroupBias, IsAddedToTheRowsOfItsGroup) {
  const Values values = random_values(kNumRows * kCols, 1);
  for (const DType dtype : kDTypes) {
    const std::vector<Tensor> list = biases(dtype);
    const Tensor y = make({kNumRows, kCols}, dtype, values);
    Values expected = values;
    for_elements_of_groups(
        [&](size_t g, size_t i) { expected[i] += values_of(list[g])[i % size_t{kCols}]; });
    ops::add_group_biases(ctx, list, kRows, y);
    EXPECT_LE(relative_error(values_of(y), expected), tolerance_of(dtype));
  }
}

TEST_F(GroupBias, GradientIsTheSumOfTheRowsOfItsGroup) {
  const Values values = random_values(kNumRows * kCols, 1);
  for (const DType dtype : kDTypes) {
    const std::vector<Tensor> list = biases(statistic(dtype));
    std::vector<Values> expected;
    for (const Tensor& bias : list) expected.push_back(values_of(bias));
    for_elements_of_groups(
        [&](size_t g, size_t i) { expected[g][i % size_t{kCols}] += values[i]; });
    ops::group_biases_backward(ctx, make({kNumRows, kCols}, dtype, values), kRows, list);
    for (size_t g = 0; g < list.size(); ++g) {
      EXPECT_LE(relative_error(values_of(list[g]), expected[g]),
                dtype == DType::fp64 ? 1e-13 : 1e-5)
          << g;
    }
  }
}

TEST_F(GroupBias, NoRowsAtAllAndMistakes) {
  const std::vector<Tensor> list = biases(DType::fp32);
  const Tensor none = poisoned({0, kCols}, DType::fp32);
  const std::vector<int64_t> no_rows(kRows.size(), 0);
  ops::add_group_biases(ctx, list, no_rows, none);
  ops::group_biases_backward(ctx, none, no_rows, list);
  EXPECT_EQ(values_of(list[0]), random_values(kCols, 10));
  EXPECT_THROW(ops::add_group_biases(ctx, list, kRows, none), std::logic_error);
  EXPECT_THROW(ops::add_group_biases(ctx, list, {0, 0}, none), std::logic_error);
}

TEST_F(GroupBias, ThreadsDoNotChangeBits) {
  const std::vector<int64_t> rows = {70, 0, 331};
  const Tensor x = random({401, 129}, DType::fp32, 1);
  const std::vector<Tensor> list(3, random({129}, DType::fp32, 2));
  expect_same_on_any_threads([&] {
    const Tensor y = random({401, 129}, DType::fp32, 3);
    const Tensor sums = filled(ctx, {129}, DType::fp32, 0);
    ops::add_group_biases(ctx, list, rows, y);
    ops::group_biases_backward(ctx, y, rows, {sums, sums, sums});
    Values all = values_of(y);
    const Values more = values_of(sums);
    all.insert(all.end(), more.begin(), more.end());
    return all;
  });
}

}  // namespace
}  // namespace argosy
