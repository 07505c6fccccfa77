// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/dropout.h"

#include <numeric>

#include "tests/trainer/ops/op_fixture.h"

namespace argosy::ops {
namespace {

class Dropout : public OpTest {
 protected:
  Tensor first_ids(int64_t num_rows) {
    Values values(static_cast<size_t>(num_rows));
    std::iota(values.begin(), values.end(), 0.0);
    return ids({num_rows}, values);
  }
  void dropout(const Tensor& x, const Tensor& row_ids, double p, uint64_t stream = 77,
               int step = 3) {
    ops::dropout(ctx, x, row_ids, {5, stream, ids({1}, {static_cast<double>(step)})}, p);
  }
};

TEST_F(Dropout, DropsTheShareAndScalesTheRest) {
  constexpr int64_t kRows = 300, kCols = 101;  // the last Philox block of a row is cut
  for (DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
    const Tensor x = filled(ctx, {kRows, kCols}, dtype, 3.0);
    dropout(x, first_ids(kRows), 0.25);
    double dropped = 0;
    for (const double value : values_of(x)) {
      if (value == 0) {
        ++dropped;
      } else {
        ASSERT_NEAR(value, 4.0, 1e-6);
      }
    }
    EXPECT_NEAR(dropped / (kRows * kCols), 0.25, 0.01);  // 4 standard deviations
  }
}

TEST_F(Dropout, ProbabilityZeroChangesNothing) {
  const Tensor x = random({5, 7}, DType::fp64, 1);
  const Values before = values_of(x);
  dropout(x, first_ids(5), 0.0);
  EXPECT_EQ(values_of(x), before);
}

// The mask belongs to the id of a row, not to its place; another key or step is another mask.
TEST_F(Dropout, RowsMayBeSplitAndMoved) {
  const Tensor whole = filled(ctx, {6, 9}, DType::fp64, 1.0);
  dropout(whole, first_ids(6), 0.5);
  const Tensor moved = filled(ctx, {2, 9}, DType::fp64, 1.0);
  dropout(moved, ids({2}, {4, 1}), 0.5);
  EXPECT_EQ(values_of(moved.rows(0, 1)), values_of(whole.rows(4, 5)));
  EXPECT_EQ(values_of(moved.rows(1, 2)), values_of(whole.rows(1, 2)));
  for (const auto& [stream, step] : {std::pair(uint64_t{78}, 3), std::pair(uint64_t{77}, 4)}) {
    const Tensor other = filled(ctx, {6, 9}, DType::fp64, 1.0);
    dropout(other, first_ids(6), 0.5, stream, step);
    EXPECT_NE(values_of(other), values_of(whole));
  }
}

TEST_F(Dropout, BackwardIsTheSameMask) {
  const Tensor x = random({4, 6}, DType::fp64, 1), dy = random({4, 6}, DType::fp64, 2);
  const Tensor dx = make({4, 6}, DType::fp64, values_of(dy));
  dropout(dx, first_ids(4), 0.4);
  expect_gradient(x, values_of(dx), [&] {
    const Tensor y = make({4, 6}, DType::fp64, values_of(x));
    dropout(y, first_ids(4), 0.4);
    return dot(values_of(y), values_of(dy));
  });
}

TEST_F(Dropout, RefusesWhatDoesNotFit) {
  const Tensor x = random({4, 6}, DType::fp32, 1);
  EXPECT_THROW(dropout(x, first_ids(3), 0.1), std::logic_error);
  EXPECT_THROW(dropout(x, first_ids(4), 1.0), std::logic_error);
  dropout(poisoned({0, 6}, DType::fp32), first_ids(0), 0.5);
}

}  // namespace
}  // namespace argosy::ops
