// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/activation.h"

#include "tests/trainer/ops/ops_support.h"
#include "trainer/ops/simd_math.h"

namespace argosy {
namespace {

constexpr MemoryCategory kBuffers = MemoryCategory::buffers;
const DType kDTypes[] = {DType::fp64, DType::fp32, DType::bf16};

double silu(double x) {
  return x / (1 + std::exp(-x));
}
double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
Values scaled(Values values, double factor) {
  for (double& v : values) v *= factor;
  return values;
}

TEST(SimdExp, IsAccurateAndKeepsSpecialValues) {
  for (float x = -87.0f; x < 88.0f; x += 0.0137f) {
    const double exact = std::exp(static_cast<double>(x));
    EXPECT_NEAR(ops::simd_exp(x) / exact, 1.0, 2e-7) << x;
  }
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(ops::simd_exp(0.0f), 1.0f);
  EXPECT_EQ(ops::simd_exp(-infinity), 0.0f);
  EXPECT_EQ(ops::simd_exp(-88.5f), 0.0f);
  EXPECT_EQ(ops::simd_exp(infinity), infinity);
  EXPECT_TRUE(std::isnan(ops::simd_exp(std::numeric_limits<float>::quiet_NaN())));
}

TEST(Swiglu, ForwardEqualsTheDefinition) {
  DeviceContext ctx(Device::cpu);
  const Values g = scaled(random_values(7 * 11, 1), 4.0), u = random_values(7 * 11, 2);
  Values expected(g.size());
  for (size_t i = 0; i < g.size(); ++i) expected[i] = silu(g[i]) * u[i];
  for (const DType dtype : kDTypes) {
    const Tensor y = filled(ctx, {7, 11}, dtype, kPoison);
    ops::swiglu_forward(ctx, make(ctx, {7, 11}, dtype, g), make(ctx, {7, 11}, dtype, u), y);
    EXPECT_LE(relative_error(values_of(y), expected), tolerance_of(dtype));
  }
}

TEST(Swiglu, BackwardEqualsFiniteDifferences) {
  DeviceContext ctx(Device::cpu);
  const Values g = scaled(random_values(13, 1), 3.0), u = random_values(13, 2);
  const Values dy = random_values(13, 3);
  const auto objective = [&](const Values& gate, const Values& up) {
    double sum = 0;
    for (size_t i = 0; i < gate.size(); ++i) sum += dy[i] * silu(gate[i]) * up[i];
    return sum;
  };
  const Values dg = numeric_gradient([&](const Values& v) { return objective(v, u); }, g);
  const Values du = numeric_gradient([&](const Values& v) { return objective(g, v); }, u);
  for (const DType dtype : kDTypes) {
    const Tensor gate = make(ctx, {13}, dtype, g), up = make(ctx, {13}, dtype, u);
    const Tensor dgate = filled(ctx, {13}, dtype, kPoison), dup = filled(ctx, {13}, dtype, kPoison);
    const Tensor grad = make(ctx, {13}, dtype, dy);
    ops::swiglu_backward(ctx, grad, gate, up, dgate, dup);
    const double tolerance = std::max(tolerance_of(dtype), kGradientTolerance);
    EXPECT_LE(relative_error(values_of(dgate), dg), tolerance);
    EXPECT_LE(relative_error(values_of(dup), du), tolerance);
    ops::swiglu_backward(ctx, grad, gate, up, gate, up);  // in place
    EXPECT_EQ(values_of(gate), values_of(dgate));
    EXPECT_EQ(values_of(up), values_of(dup));
  }
}

// Values on both sides of the limits, and on them: 0.5 is a bf16.
constexpr ops::ClampedSwiglu kClamped = {.limit = 0.5, .alpha = 1.702};
double clamped(double gate, double up) {
  const double g = std::min(gate, kClamped.limit);
  const double u = std::clamp(up, -kClamped.limit, kClamped.limit);
  return (u + 1) * g / (1 + std::exp(-kClamped.alpha * g));
}

TEST(ClampedSwiglu, ForwardEqualsTheDefinition) {
  DeviceContext ctx(Device::cpu);
  const Values g = random_values(7 * 11, 1), u = random_values(7 * 11, 2);
  Values expected(g.size());
  for (size_t i = 0; i < g.size(); ++i) expected[i] = clamped(g[i], u[i]);
  for (const DType dtype : kDTypes) {
    const Tensor y = filled(ctx, {7, 11}, dtype, kPoison);
    ops::clamped_swiglu_forward(ctx, kClamped, make(ctx, {7, 11}, dtype, g),
                                make(ctx, {7, 11}, dtype, u), y);
    EXPECT_LE(relative_error(values_of(y), expected), tolerance_of(dtype));
  }
}

TEST(ClampedSwiglu, BackwardEqualsFiniteDifferences) {
  DeviceContext ctx(Device::cpu);
  const Values g = random_values(77, 1), u = random_values(77, 2), dy = random_values(77, 3);
  const auto objective = [&](const Values& gate, const Values& up) {
    double sum = 0;
    for (size_t i = 0; i < gate.size(); ++i) sum += dy[i] * clamped(gate[i], up[i]);
    return sum;
  };
  const Values dg = numeric_gradient([&](const Values& v) { return objective(v, u); }, g);
  const Values du = numeric_gradient([&](const Values& v) { return objective(g, v); }, u);
  for (const DType dtype : kDTypes) {
    const Tensor gate = make(ctx, {77}, dtype, g), up = make(ctx, {77}, dtype, u);
    const Tensor dgate = filled(ctx, {77}, dtype, kPoison), dup = filled(ctx, {77}, dtype, kPoison);
    const Tensor grad = make(ctx, {77}, dtype, dy);
    ops::clamped_swiglu_backward(ctx, kClamped, grad, gate, up, dgate, dup);
    const double tolerance = std::max(tolerance_of(dtype), kGradientTolerance);
    EXPECT_LE(relative_error(values_of(dgate), dg), tolerance);
    EXPECT_LE(relative_error(values_of(dup), du), tolerance);
    ops::clamped_swiglu_backward(ctx, kClamped, grad, gate, up, gate, up);  // in place
    EXPECT_EQ(values_of(gate), values_of(dgate));
    EXPECT_EQ(values_of(up), values_of(dup));
  }
}

// On a limit a gradient passes, as torch.clamp's does; beyond it none; a NaN is not clamped away.
TEST(ClampedSwiglu, LimitsAndNaN) {
  DeviceContext ctx(Device::cpu);
  for (const DType dtype : kDTypes) {
    const Tensor gate = make(ctx, {4}, dtype, {0.5, 0.75, -3, kPoison});
    const Tensor up = make(ctx, {4}, dtype, {-0.5, 0.5, -0.75, kPoison});
    const Tensor one = filled(ctx, {4}, dtype, 1), y = filled(ctx, {4}, dtype, 0);
    const Tensor dgate = filled(ctx, {4}, dtype, 0), dup = filled(ctx, {4}, dtype, 0);
    ops::clamped_swiglu_forward(ctx, kClamped, gate, up, y);
    ops::clamped_swiglu_backward(ctx, kClamped, one, gate, up, dgate, dup);
    EXPECT_NE(values_of(dgate)[0], 0);
    EXPECT_NE(values_of(dup)[0], 0);
    EXPECT_EQ(values_of(dgate)[1], 0);
    EXPECT_NE(values_of(dup)[1], 0);
    EXPECT_NE(values_of(dgate)[2], 0);
    EXPECT_EQ(values_of(dup)[2], 0);
    for (const Tensor& x : {y, dgate, dup}) EXPECT_TRUE(std::isnan(values_of(x)[3]));
  }
}

TEST(Gelu, ForwardAndBackward) {
  DeviceContext ctx(Device::cpu);
  const Values x = scaled(random_values(17, 4), 4.0), dy = random_values(17, 5);
  Values expected(x.size());
  for (size_t i = 0; i < x.size(); ++i) expected[i] = gelu(x[i]);
  const Values gradient = numeric_gradient(
      [&](const Values& v) {
        double sum = 0;
        for (size_t i = 0; i < v.size(); ++i) sum += dy[i] * gelu(v[i]);
        return sum;
      },
      x);
  for (const DType dtype : kDTypes) {
    const Tensor in = make(ctx, {17}, dtype, x);
    const Tensor y = filled(ctx, {17}, dtype, kPoison), dx = filled(ctx, {17}, dtype, kPoison);
    ops::gelu_forward(ctx, in, y);
    EXPECT_LE(relative_error(values_of(y), expected), tolerance_of(dtype));
    ops::gelu_backward(ctx, make(ctx, {17}, dtype, dy), in, dx);
    EXPECT_LE(relative_error(values_of(dx), gradient),
              std::max(tolerance_of(dtype), kGradientTolerance));
  }
}

TEST(Activation, ExtremesAndEmptyTensors) {
  DeviceContext ctx(Device::cpu);
  const Tensor x = make(ctx, {3}, DType::fp32, {-200.0, 200.0, kPoison});
  const Tensor one = filled(ctx, {3}, DType::fp32, 1.0);
  const Tensor y = ctx.empty({3}, DType::fp32, kBuffers);
  ops::swiglu_forward(ctx, x, one, y);
  EXPECT_EQ(values_of(y)[0], 0.0);
  EXPECT_EQ(values_of(y)[1], 200.0);
  EXPECT_TRUE(std::isnan(values_of(y)[2]));
  const Tensor none = ctx.empty({0, 5}, DType::fp32, kBuffers);
  ops::swiglu_forward(ctx, none, none, none);
  ops::gelu_forward(ctx, none, none);
  EXPECT_THROW(ops::gelu_forward(ctx, x, none), std::logic_error);
}

TEST(Activation, ThreadsDoNotChangeBits) {
  DeviceContext ctx(Device::cpu);
  const int64_t n = 40'009;
  const Tensor x = make(ctx, {n}, DType::fp32, random_values(n, 6));
  const Tensor y = ctx.empty({n}, DType::fp32, kBuffers);
  expect_same_on_any_threads([&] {
    ops::swiglu_forward(ctx, x, x, y);
    ops::clamped_swiglu_forward(ctx, kClamped, y, x, y);
    return values_of(y);
  });
}

}  // namespace
}  // namespace argosy
