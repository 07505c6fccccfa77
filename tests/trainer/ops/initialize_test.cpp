// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/initialize.h"

#include "planner/spec/philox.h"
#include "tests/trainer/ops/op_fixture.h"

namespace argosy::ops {
namespace {

class Initialize : public OpTest {
 protected:
  static TensorSpec spec_of(Init init, int64_t rows, int64_t cols) {
    TensorSpec spec;
    spec.name = "model.layers.0.mlp.up_proj.weight";
    spec.rows = rows;
    spec.cols = cols;
    spec.init = init;
    spec.init_std = 0.02;
    return spec;
  }
  Values fill(const TensorSpec& spec, Box box, uint64_t seed, DType dtype) {
    const Tensor part = poisoned({box.rows.size(), box.cols.size()}, dtype);
    initialize(ctx, spec, box, seed, part);
    return values_of(part);
  }
};

TEST_F(Initialize, AnyBoxIsASliceOfTheWhole) {
  const int64_t rows = 13, cols = 17;
  for (Init init : {Init::normal, Init::kaiming_uniform}) {
    for (DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
      const TensorSpec spec = spec_of(init, rows, cols);
      const Values whole = fill(spec, {{0, rows}, {0, cols}}, 5, dtype);
      for (Box box : {Box{{0, 6}, {0, cols}}, Box{{6, 13}, {3, 9}}, Box{{12, 13}, {16, 17}}}) {
        const Values part = fill(spec, box, 5, dtype);
        size_t i = 0;
        for (int64_t r = box.rows.begin; r < box.rows.end; ++r) {
          for (int64_t c = box.cols.begin; c < box.cols.end; ++c) {
            EXPECT_EQ(part[i++], whole[static_cast<size_t>(r * cols + c)]);
          }
        }
      }
    }
  }
}

TEST_F(Initialize, NormalHasMeanZeroAndItsDeviation) {
  const TensorSpec spec = spec_of(Init::normal, 400, 500);
  const Values values = fill(spec, {{0, 400}, {0, 500}}, 3, DType::fp32);
  const double n = static_cast<double>(values.size());
  double mean = 0, square = 0, fourth = 0;
  for (double x : values) {
    mean += x / n;
    square += x * x / n;
    fourth += x * x * x * x / n;
  }
  EXPECT_NEAR(mean, 0, 5 * 0.02 / std::sqrt(n));  // five standard errors
  EXPECT_NEAR(std::sqrt(square), 0.02, 5 * 0.02 / std::sqrt(2 * n));
  EXPECT_NEAR(fourth / (square * square), 3.0, 5 * std::sqrt(24 / n));  // a normal's kurtosis
}

TEST_F(Initialize, KaimingUniformFillsItsInterval) {
  const TensorSpec spec = spec_of(Init::kaiming_uniform, 300, 100);
  const Values values = fill(spec, {{0, 300}, {0, 100}}, 3, DType::fp64);
  double mean = 0, lowest = 1, highest = -1;
  for (double x : values) {
    mean += x / static_cast<double>(values.size());
    lowest = std::min(lowest, x);
    highest = std::max(highest, x);
  }
  EXPECT_GE(lowest, -0.1);
  EXPECT_LT(lowest, -0.0999);
  EXPECT_LE(highest, 0.1);
  EXPECT_GT(highest, 0.0999);
  EXPECT_NEAR(mean, 0, 5 * 0.1 / std::sqrt(3.0 * 30000));
}

TEST_F(Initialize, ConstantsSeedsAndNames) {
  EXPECT_EQ(fill(spec_of(Init::zeros, 3, 1), {{0, 3}, {0, 1}}, 1, DType::bf16), Values(3, 0.0));
  EXPECT_EQ(fill(spec_of(Init::ones, 3, 1), {{1, 3}, {0, 1}}, 1, DType::fp32), Values(2, 1.0));
  TensorSpec spec = spec_of(Init::normal, 2, 2);
  const Box box{{0, 2}, {0, 2}};
  const Values first = fill(spec, box, 1, DType::fp64);
  EXPECT_NE(fill(spec, box, 2, DType::fp64), first);
  spec.name += "'";
  EXPECT_NE(fill(spec, box, 1, DType::fp64), first);
}

TEST_F(Initialize, Bf16IsTheRoundedFp32Master) {
  const TensorSpec spec = spec_of(Init::normal, 20, 20);
  const Box box{{0, 20}, {0, 20}};
  Values master = fill(spec, box, 1, DType::fp32);
  for (double& x : master) x = static_cast<double>(static_cast<float>(bfloat16(x)));
  EXPECT_EQ(fill(spec, box, 1, DType::bf16), master);
}

// Vectors of logarithms and cosines are not libm's, the numbers are: draws whose rounding is in
// doubt are made again.
TEST_F(Initialize, NormalNumbersAreThoseOfTheirDefinitionToTheBit) {
  const TensorSpec spec = spec_of(Init::normal, 1500, 1001);
  const Tensor part = poisoned({1500, 1001}, DType::fp32);
  initialize(ctx, spec, {{0, 1500}, {0, 1001}}, 9, part);
  int64_t different = 0;
  for (int64_t i = 0; i < part.size(); ++i) {
    const double z = standard_normal(9, hash_name(spec.name), static_cast<uint64_t>(i));
    different += part.data<float>()[i] != static_cast<float>(spec.init_std * z);
  }
  EXPECT_EQ(different, 0);
}

TEST_F(Initialize, ThreadsEmptyPartsAndBoxesOutside) {
  const TensorSpec spec = spec_of(Init::normal, 100, 200);
  expect_same_on_any_threads([&] { return fill(spec, {{0, 100}, {0, 200}}, 1, DType::fp32); });
  EXPECT_TRUE(fill(spec, {{4, 4}, {0, 200}}, 1, DType::fp32).empty());
  EXPECT_TRUE(fill(spec, {{0, 2}, {5, 5}}, 1, DType::fp32).empty());
  EXPECT_THROW(fill(spec, {{99, 101}, {0, 200}}, 1, DType::fp32), std::logic_error);
}

}  // namespace
}  // namespace argosy::ops
