// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/elementwise.h"

#include "tests/trainer/ops/op_fixture.h"

namespace argosy::ops {
namespace {

class Elementwise : public OpTest {};
const DType kFloating[] = {DType::fp64, DType::fp32, DType::bf16};

TEST_F(Elementwise, FillsAndCopiesBetweenAllTypes) {
  const Values values = {1.0, -0.5, 256.0, 0.0078125, -3.0};  // exact in bf16
  for (DType from : kFloating) {
    for (DType to : kFloating) {
      const Tensor x = make({5}, from, values), y = poisoned({5}, to);
      copy(ctx, x, y);
      EXPECT_EQ(values_of(y), values);
      fill_zero(ctx, y);
      EXPECT_EQ(values_of(y), Values(5, 0.0));
    }
  }
  const Tensor number = ids({2}, {1 << 30, -7}), other = ids({2}, {0, 0});
  copy(ctx, number, other);
  EXPECT_EQ(values_of(other), values_of(number));
}

TEST_F(Elementwise, RoundsToNearestEven) {
  // 1 + 2^-8 lies between the bf16 numbers 1 and 1 + 2^-7; 1 + 3 * 2^-8 between 1 + 2^-7 and
  // 1 + 2^-6: both ties go to the even one.
  const Tensor x = make({3}, DType::fp32, {1 + 1.0 / 256, 1 + 3.0 / 256, 1 + 1.001 / 256});
  const Tensor y = poisoned({3}, DType::bf16);
  copy(ctx, x, y);
  EXPECT_EQ(values_of(y), Values({1.0, 1 + 1.0 / 64, 1 + 1.0 / 128}));
}

TEST_F(Elementwise, AddsAndScalesInTheWiderType) {
  const Tensor small = make({2}, DType::fp64, {1e-12, -1e-12});
  const Tensor y = make({2}, DType::fp64, {1, 1});
  add(ctx, small, y);
  EXPECT_EQ(values_of(y), Values({1 + 1e-12, 1 - 1e-12}));
  const Tensor half = make({2}, DType::bf16, {0.5, 2}), z = make({2}, DType::fp32, {1e-3, 1});
  add(ctx, half, z);
  expect_near(values_of(z), {0.501, 3}, 1e-7);
  scale(ctx, -2, z);
  expect_near(values_of(z), {-1.002, -6}, 1e-7);
}

TEST_F(Elementwise, BiasAndItsGradient) {
  const Tensor bias = random({3}, DType::fp64, 1), dy = random({5, 3}, DType::fp64, 2);
  const Tensor dbias = make({3}, DType::fp64, {0, 0, 0});
  bias_backward(ctx, dy, dbias);
  expect_gradient(bias, values_of(dbias), [&] {
    const Tensor y = random({5, 3}, DType::fp64, 3);
    add_bias(ctx, bias, y);
    return dot(values_of(y), values_of(dy));
  });
  const Values once = values_of(dbias);
  bias_backward(ctx, dy, dbias);  // adds
  expect_near(values_of(dbias), {2 * once[0], 2 * once[1], 2 * once[2]}, 1e-15);
}

TEST_F(Elementwise, SigmoidGateMatchesFiniteDifferences) {
  const Tensor x = random({4, 3}, DType::fp64, 1), gate = random({4}, DType::fp64, 2);
  const Tensor dy = random({4, 3}, DType::fp64, 3), y = poisoned({4, 3}, DType::fp64);
  const Tensor dx = poisoned({4, 3}, DType::fp64), dgate = poisoned({4}, DType::fp64);
  sigmoid_gate_backward(ctx, dy, x, gate, dx, dgate);
  const auto loss = [&] {
    sigmoid_gate_forward(ctx, x, gate, y);
    return dot(values_of(y), values_of(dy));
  };
  expect_gradient(x, values_of(dx), loss);
  expect_gradient(gate, values_of(dgate), loss);
}

TEST_F(Elementwise, SigmoidGateSaturates) {
  const Tensor x = make({3, 1}, DType::fp32, {2, 2, 2}), y = poisoned({3, 1}, DType::fp32);
  const Tensor gate = make({3}, DType::fp32, {1000, -1000, 0});
  sigmoid_gate_forward(ctx, x, gate, y);
  EXPECT_EQ(values_of(y), Values({2, 0, 1}));
}

double sum_of(DeviceContext& ctx, const Tensor& x) {
  const Tensor total = filled(ctx, {1}, DType::fp64, 0.0);
  add_sum(ctx, x, total);
  return values_of(total).front();
}
double squares_of(DeviceContext& ctx, const std::vector<Tensor>& parts) {
  const Tensor total = filled(ctx, {1}, DType::fp64, kPoison);
  sum_of_squares(ctx, parts, total);
  return values_of(total).front();
}

TEST_F(Elementwise, SumsAreExactEnoughAndTheSameOnAnyThreads) {
  const int64_t size = 100003;
  Values values(static_cast<size_t>(size));
  long double sum_expected = 0, squares_expected = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<double>(static_cast<float>(standard_normal(3, 1, i)));
    sum_expected += values[i];
    squares_expected += static_cast<long double>(values[i]) * values[i];
  }
  const Tensor x = make({size}, DType::fp32, values);
  EXPECT_NEAR(sum_of(ctx, x), static_cast<double>(sum_expected), 1e-9);
  EXPECT_NEAR(squares_of(ctx, {x}), static_cast<double>(squares_expected), 1e-8);
  expect_same_on_any_threads([&] { return Values{sum_of(ctx, x), squares_of(ctx, {x})}; });
  // Nor on where in memory the elements lie.
  const Tensor moved = ctx.empty({size + 1}, DType::fp32, MemoryCategory::buffers);
  copy(ctx, x, moved.flat(1, size + 1, {size}));
  EXPECT_EQ(squares_of(ctx, {moved.flat(1, size + 1, {size})}), squares_of(ctx, {x}));
}

TEST_F(Elementwise, SumsOfParts) {
  const Tensor x = make({3}, DType::fp32, {1, 2, 3}), y = make({1}, DType::fp32, {4});
  EXPECT_EQ(squares_of(ctx, {x, poisoned({0}, DType::fp32), y}), 30.0);
  EXPECT_EQ(squares_of(ctx, {}), 0.0);
  const Tensor total = make({1}, DType::fp64, {0.5});
  add_sum(ctx, x, total);
  add_sum(ctx, y, total);
  EXPECT_EQ(values_of(total).front(), 10.5);
  EXPECT_THROW(sum_of_squares(ctx, std::vector{x, random({2}, DType::bf16, 1)}, total),
               std::logic_error);
}

TEST_F(Elementwise, BiasGradientDoesNotDependOnThreads) {
  const Tensor dy = random({211, 331}, DType::bf16, 5);
  expect_same_on_any_threads([&] {
    const Tensor dbias = make({331}, DType::fp32, Values(331, 0.5));
    bias_backward(ctx, dy, dbias);
    return values_of(dbias);
  });
}

// More rows than 128 blocks of the usual length have, and a width that no loop's step divides.
TEST_F(Elementwise, BiasGradientOfManyRows) {
  const int64_t rows = 9001, cols = 37;
  for (const DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
    const Tensor dy = random({rows, cols}, dtype, 5);
    const Tensor dbias = make({cols}, dtype == DType::fp64 ? DType::fp64 : DType::fp32,
                              Values(static_cast<size_t>(cols), 0.5));
    bias_backward(ctx, dy, dbias);
    const Values values = values_of(dy);
    Values expected(static_cast<size_t>(cols), 0.5);
    for (size_t i = 0; i < values.size(); ++i) expected[i % static_cast<size_t>(cols)] += values[i];
    expect_near(values_of(dbias), expected, dtype == DType::fp64 ? 1e-10 : 1e-3);
  }
}

TEST_F(Elementwise, EmptyAndNaN) {
  const Tensor none = poisoned({0}, DType::fp32);
  fill_zero(ctx, none);
  scale(ctx, 2, none);
  EXPECT_EQ(sum_of(ctx, none), 0.0);
  const Tensor rows = poisoned({0, 3}, DType::fp32), dbias = make({3}, DType::fp32, {1, 2, 3});
  bias_backward(ctx, rows, dbias);
  EXPECT_EQ(values_of(dbias), Values({1, 2, 3}));
  EXPECT_TRUE(std::isnan(squares_of(ctx, {poisoned({9}, DType::fp32)})));  // a guard sees it
}

TEST_F(Elementwise, RefusesShapesThatDoNotFit) {
  const Tensor x = random({2, 3}, DType::fp32, 1);
  EXPECT_THROW(add(ctx, x, random({3, 2}, DType::fp32, 1)), std::logic_error);
  EXPECT_THROW(add_bias(ctx, random({2}, DType::fp32, 1), x), std::logic_error);
  EXPECT_THROW(bias_backward(ctx, x, random({3}, DType::bf16, 1)), std::logic_error);
}

}  // namespace
}  // namespace argosy::ops
