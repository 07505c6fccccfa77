// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/rope.h"

#include "tests/trainer/ops/ops_support.h"

namespace argosy {
namespace {

const std::vector<double> kFrequencies = {1.0, 0.3, 0.02};
constexpr int64_t kHeads = 2, kHeadDim = 6, kSeqLen = 5, kRowCount = 11;  // ends inside a sequence

// (num_rows) row i stands at i % kSeqLen.
Tensor positions_of(DeviceContext& ctx, int64_t num_rows) {
  Values positions;
  for (int64_t i = 0; i < num_rows; ++i) positions.push_back(static_cast<double>(i % kSeqLen));
  return make(ctx, {num_rows}, DType::int32, positions);
}

// Row i of every head turned by (i % kSeqLen) * frequency, times factor.
Values reference(const Values& x, double factor) {
  Values y(x.size());
  for (int64_t at = 0; at < kRowCount * kHeads; ++at) {
    for (int64_t i = 0; i < kHeadDim / 2; ++i) {
      const double position = static_cast<double>((at / kHeads) % kSeqLen);
      const double angle = position * kFrequencies[static_cast<size_t>(i)];
      const auto a = static_cast<size_t>(at * kHeadDim + i), b = a + kHeadDim / 2;
      y[a] = factor * (x[a] * std::cos(angle) - x[b] * std::sin(angle));
      y[b] = factor * (x[b] * std::cos(angle) + x[a] * std::sin(angle));
    }
  }
  return y;
}

TEST(Rope, EqualsTheDefinition) {
  DeviceContext ctx(Device::cpu);
  const Values x = random_values(kRowCount * kHeads * kHeadDim, 1);
  for (const DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
    const DType statistic = dtype == DType::fp64 ? DType::fp64 : DType::fp32;
    const auto table = ops::make_rope_table(ctx, kFrequencies, kSeqLen + 3, statistic, 1.25);
    const Tensor y = make(ctx, {kRowCount, kHeads * kHeadDim}, dtype, x);
    ops::rope(ctx, y, kHeads, positions_of(ctx, kRowCount), table, false);
    EXPECT_LE(relative_error(values_of(y), reference(x, 1.25)), tolerance_of(dtype));
  }
}

// <R x, y> = <x, R^T y>, which is what a linear map's backward must satisfy.
TEST(Rope, InverseIsTheTransposedRotation) {
  DeviceContext ctx(Device::cpu);
  const auto table = ops::make_rope_table(ctx, kFrequencies, kSeqLen, DType::fp64, 0.75);
  const Values x = random_values(kRowCount * kHeads * kHeadDim, 2);
  const Values dy = random_values(kRowCount * kHeads * kHeadDim, 3);
  const Tensor grad = make(ctx, {kRowCount, kHeads * kHeadDim}, DType::fp64, dy);
  ops::rope(ctx, grad, kHeads, positions_of(ctx, kRowCount), table, true);
  const Values dx =
      numeric_gradient([&](const Values& v) { return dot(dy, reference(v, 0.75)); }, x);
  EXPECT_LE(relative_error(values_of(grad), dx), kGradientTolerance);
}

TEST(Rope, RefusesWhatDoesNotFit) {
  DeviceContext ctx(Device::cpu);
  const auto table = ops::make_rope_table(ctx, kFrequencies, kSeqLen, DType::fp32, 1.0);
  const Tensor x = filled(ctx, {4, kHeads * kHeadDim}, DType::fp32, 1.0);
  EXPECT_THROW(ops::rope(ctx, x, 1, positions_of(ctx, 4), table, false), std::logic_error);
  const Tensor beyond = filled(ctx, {4}, DType::int32, kSeqLen);
  EXPECT_THROW(ops::rope(ctx, x, kHeads, beyond, table, false), std::logic_error);
  EXPECT_THROW(ops::rope(ctx, x, kHeads, positions_of(ctx, 3), table, false), std::logic_error);
  EXPECT_THROW(ops::rope(ctx, filled(ctx, {4, 12}, DType::fp64, 1.0), kHeads, positions_of(ctx, 4),
                         table, false),
               std::logic_error);
  ops::rope(ctx, ctx.empty({0, 12}, DType::fp32, MemoryCategory::buffers), kHeads,
            positions_of(ctx, 0), table, false);
}

}  // namespace
}  // namespace argosy
