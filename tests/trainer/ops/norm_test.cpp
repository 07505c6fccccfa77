// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/norm.h"

#include "tests/trainer/ops/ops_support.h"
#include "trainer/ops/elementwise.h"

namespace argosy {
namespace {

constexpr MemoryCategory kBuffers = MemoryCategory::buffers;
constexpr double kEps = 1e-5;
const DType kDTypes[] = {DType::fp64, DType::fp32, DType::bf16};

DType statistic(DType dtype) {
  return dtype == DType::fp64 ? DType::fp64 : DType::fp32;
}

// y of both norms, row by row; `bias` empty: RMSNorm.
Values reference(int64_t cols, const Values& x, const Values& gain, const Values& bias) {
  const auto width = static_cast<size_t>(cols);
  Values y(x.size());
  for (size_t row = 0; row < x.size(); row += width) {
    double mean = 0, squares = 0;
    if (!bias.empty()) {
      for (size_t c = 0; c < width; ++c) mean += x[row + c] / static_cast<double>(cols);
    }
    for (size_t c = 0; c < width; ++c) squares += (x[row + c] - mean) * (x[row + c] - mean);
    const double inv = 1 / std::sqrt(squares / static_cast<double>(cols) + kEps);
    for (size_t c = 0; c < width; ++c) {
      y[row + c] = gain[c] * (x[row + c] - mean) * inv + (bias.empty() ? 0.0 : bias[c]);
    }
  }
  return y;
}

// One norm with its inputs in a dtype; outputs start poisoned.
struct Fixture {
  Fixture(DeviceContext& context, bool centered_, int64_t rows, int64_t cols, DType dtype)
      : ctx(context),
        centered(centered_),
        x_values(random_values(rows * cols, 1)),
        gain_values(random_values(cols, 2)),
        dy_values(random_values(rows * cols, 4)) {
    if (centered) bias_values = random_values(cols, 3);
    x = make(ctx, {rows, cols}, dtype, x_values);
    gain = make(ctx, {cols}, dtype, gain_values);
    if (centered) bias = make(ctx, {cols}, dtype, bias_values);
    dy = make(ctx, {rows, cols}, dtype, dy_values);
    y = filled(ctx, {rows, cols}, dtype, kPoison);
    dx = filled(ctx, {rows, cols}, dtype, kPoison);
    mean = filled(ctx, {rows}, statistic(dtype), kPoison);
    inv = filled(ctx, {rows}, statistic(dtype), kPoison);
    dgain = filled(ctx, {cols}, statistic(dtype), 0.5);
    dbias = filled(ctx, {cols}, statistic(dtype), 0.25);
  }
  void forward() {
    if (centered) {
      ops::layer_norm_forward(ctx, x, gain, bias, kEps, y, mean, inv);
    } else {
      ops::rms_norm_forward(ctx, x, gain, kEps, y, inv);
    }
  }
  // x becomes x + residual.
  void add_forward(const Tensor& residual) {
    if (centered) {
      ops::add_layer_norm_forward(ctx, residual, x, gain, bias, kEps, y, mean, inv);
    } else {
      ops::add_rms_norm_forward(ctx, residual, x, gain, kEps, y, inv);
    }
  }
  void apply() {
    if (centered) {
      ops::layer_norm_apply(ctx, x, gain, bias, mean, inv, y);
    } else {
      ops::rms_norm_apply(ctx, x, gain, inv, y);
    }
  }
  void backward(const Tensor& grad, const Tensor& out, bool accumulate) {
    if (centered) {
      ops::layer_norm_backward(ctx, grad, x, gain, mean, inv, out, dgain, dbias, accumulate);
    } else {
      ops::rms_norm_backward(ctx, grad, x, gain, inv, out, dgain, accumulate);
    }
  }
  Values expected_y() const { return reference(x.dim(1), x_values, gain_values, bias_values); }

  DeviceContext& ctx;
  bool centered;
  Values x_values, gain_values, bias_values, dy_values;
  Tensor x, gain, bias, dy, y, dx, mean, inv, dgain, dbias;
};

TEST(Norm, ForwardAndApplyEqualTheDefinition) {
  DeviceContext ctx(Device::cpu);
  for (const bool centered : {false, true}) {
    for (const DType dtype : kDTypes) {
      for (const int64_t cols : {1, 5, 31, 129}) {
        Fixture f(ctx, centered, 37, cols, dtype);  // more rows than go forward in one loop
        f.forward();
        EXPECT_LE(relative_error(values_of(f.y), f.expected_y()), tolerance_of(dtype));
        const Values first = values_of(f.y);
        set_values(f.y, Values(first.size(), kPoison));
        f.apply();
        EXPECT_EQ(values_of(f.y), first);
      }
    }
  }
}

TEST(Norm, WithAResidualItIsASumAndANormToTheBit) {
  DeviceContext ctx(Device::cpu);
  for (const bool centered : {false, true}) {
    for (const DType dtype : kDTypes) {
      for (const int64_t cols : {1, 5, 31, 129}) {
        const Shape shape = {37, cols};
        const Tensor residual = make(ctx, shape, dtype, random_values(37 * cols, 9));
        Fixture one(ctx, centered, 37, cols, dtype), two(ctx, centered, 37, cols, dtype);
        one.add_forward(residual);
        ops::add(ctx, residual, two.x);
        two.forward();
        EXPECT_EQ(values_of(one.x), values_of(two.x));
        EXPECT_EQ(values_of(one.y), values_of(two.y));
        EXPECT_EQ(values_of(one.inv), values_of(two.inv));
        if (centered) {
          EXPECT_EQ(values_of(one.mean), values_of(two.mean));
        }
        EXPECT_NE(values_of(one.x), one.x_values);
      }
    }
    Fixture f(ctx, centered, 2, 3, DType::fp32);
    f.y = f.x;
    EXPECT_THROW(f.add_forward(f.dy), std::logic_error);  // the sum would be lost
  }
}

TEST(Norm, BackwardEqualsFiniteDifferences) {
  DeviceContext ctx(Device::cpu);
  for (const bool centered : {false, true}) {
    for (const DType dtype : kDTypes) {
      const int64_t rows = 37, cols = 11;  // more rows than a block of partial sums
      Fixture f(ctx, centered, rows, cols, dtype);
      const auto objective = [&](const Values& x, const Values& gain, const Values& bias) {
        return dot(f.dy_values, reference(cols, x, gain, bias));
      };
      const Values dx = numeric_gradient(
          [&](const Values& v) { return objective(v, f.gain_values, f.bias_values); }, f.x_values);
      Values dgain = numeric_gradient(
          [&](const Values& v) { return objective(f.x_values, v, f.bias_values); }, f.gain_values);
      for (double& v : dgain) v += 0.5;
      f.forward();
      f.backward(f.dy, f.dx, false);
      const double tolerance = std::max(tolerance_of(dtype), kGradientTolerance);
      EXPECT_LE(relative_error(values_of(f.dx), dx), tolerance);
      EXPECT_LE(relative_error(values_of(f.dgain), dgain), tolerance);
      if (centered) {
        Values dbias = numeric_gradient(
            [&](const Values& v) { return objective(f.x_values, f.gain_values, v); },
            f.bias_values);
        for (double& v : dbias) v += 0.25;
        EXPECT_LE(relative_error(values_of(f.dbias), dbias), tolerance);
      }
    }
  }
}

TEST(Norm, BackwardAccumulatesOrOverwritesItsInput) {
  DeviceContext ctx(Device::cpu);
  for (const bool centered : {false, true}) {
    Fixture f(ctx, centered, 5, 13, DType::fp64);
    f.forward();
    f.backward(f.dy, f.dx, false);
    const Values plain = values_of(f.dx);
    const Tensor sum = filled(ctx, {5, 13}, DType::fp64, 2.0);
    f.backward(f.dy, sum, true);
    Values expected = plain;
    for (double& v : expected) v += 2.0;
    EXPECT_LE(relative_error(values_of(sum), expected), 1e-15);
    EXPECT_THROW(f.backward(f.dy, f.dy, true), std::logic_error);
    const Values dgain = values_of(f.dgain);
    f.dgain.reset();  // a frozen gain
    f.dbias.reset();
    f.backward(f.dy, f.dy, false);
    EXPECT_EQ(values_of(f.dy), plain);
  }
}

// Blocks of partial sums that are longer than usual: the sums are those of fewer rows at a time.
TEST(Norm, GradientsOfManyRows) {
  DeviceContext ctx(Device::cpu);
  const int64_t rows = 5000, cols = 3;
  for (const bool centered : {false, true}) {
    for (const DType dtype : kDTypes) {
      Fixture f(ctx, centered, rows, cols, dtype);
      f.forward();
      f.backward(f.dy, f.dx, false);
      const Values dx = values_of(f.dx), dgain = values_of(f.dgain), dbias = values_of(f.dbias);
      set_values(f.dgain, Values(cols, 0.5));
      set_values(f.dbias, Values(cols, 0.25));
      const Fixture whole = f;
      for (int64_t begin = 0; begin < rows; begin += 1000) {
        f.x = whole.x.rows(begin, begin + 1000);
        f.mean = whole.mean.flat(begin, begin + 1000, {1000});
        f.inv = whole.inv.flat(begin, begin + 1000, {1000});
        f.backward(whole.dy.rows(begin, begin + 1000), whole.dx.rows(begin, begin + 1000), false);
      }
      EXPECT_EQ(values_of(whole.dx), dx);
      const double tolerance = dtype == DType::fp64 ? 1e-12 : 1e-5;
      EXPECT_LE(relative_error(dgain, values_of(f.dgain)), tolerance);
      EXPECT_LE(relative_error(dbias, values_of(f.dbias)), tolerance);
    }
  }
}

TEST(Norm, ThreadsDoNotChangeBits) {
  DeviceContext ctx(Device::cpu);
  for (const bool centered : {false, true}) {
    Fixture f(ctx, centered, 331, 67, DType::fp32);
    expect_same_on_any_threads([&] {
      set_values(f.dgain, Values(67, 0.0));
      f.forward();
      f.backward(f.dy, f.dx, false);
      Values all = values_of(f.dx);
      for (const Tensor& t : {f.y, f.dgain}) {
        for (const double v : values_of(t)) all.push_back(v);
      }
      return all;
    });
  }
}

TEST(Norm, EmptyAndWrongShapes) {
  DeviceContext ctx(Device::cpu);
  for (const bool centered : {false, true}) {
    Fixture f(ctx, centered, 0, 3, DType::fp32);
    f.forward();
    f.backward(f.dy, f.dx, false);
    EXPECT_EQ(values_of(f.dgain), Values(3, 0.5));
    f.inv = ctx.empty({1}, DType::fp32, kBuffers);
    EXPECT_THROW(f.forward(), std::logic_error);
  }
}

}  // namespace
}  // namespace argosy
