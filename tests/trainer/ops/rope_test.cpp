// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/rope.h"

#include "tests/trainer/ops/ops_support.h"

namespace argosy {
namespace {

using ops::RopePart;

constexpr int64_t kHeads = 2, kSeqLen = 5, kRowCount = 11;  // ends inside a sequence
constexpr RopePart kWhole{.head_dim = 6, .begin = 0, .size = 6};

// Whole heads, the first half (GLM-4.5), the end (DeepSeek's queries), and odd places; sizes with
// and without a rest of vectors.
std::vector<RopePart> parts() {
  std::vector<RopePart> parts;
  for (const bool interleaved : {false, true}) {
    for (const RopePart& part :
         {kWhole, RopePart{12, 0, 6}, RopePart{7, 1, 6}, RopePart{2, 0, 2}, RopePart{128, 0, 64},
          RopePart{192, 128, 64}, RopePart{111, 3, 102}, RopePart{160, 0, 160}}) {
      parts.push_back(part);
      parts.back().interleaved = interleaved;
    }
  }
  return parts;
}

std::vector<double> frequencies_of(const RopePart& part) {
  std::vector<double> frequencies;
  for (int64_t i = 0; i < part.size / 2; ++i)
    frequencies.push_back(std::pow(0.3, 8.0 * static_cast<double>(i) / 51.0));
  return frequencies;
}
ops::RopeTable table_of(DeviceContext& ctx, const RopePart& part, DType statistic, double factor) {
  return ops::make_rope_table(ctx, frequencies_of(part), kSeqLen + 3, statistic, factor);
}

// (num_rows) row i stands at i % kSeqLen.
Tensor positions_of(DeviceContext& ctx, int64_t num_rows) {
  Values positions;
  for (int64_t i = 0; i < num_rows; ++i) positions.push_back(static_cast<double>(i % kSeqLen));
  return make(ctx, {num_rows}, DType::int32, positions);
}

// The part of every head in row r turned by (r % kSeqLen) * frequency, times factor.
Values reference(const Values& x, const RopePart& part, double factor) {
  const std::vector<double> frequencies = frequencies_of(part);
  Values y = x;
  for (int64_t at = 0; at < kRowCount * kHeads; ++at) {
    const int64_t begin = at * part.head_dim + part.begin;
    for (int64_t i = 0; i < part.size / 2; ++i) {
      const double position = static_cast<double>((at / kHeads) % kSeqLen);
      const double angle = position * frequencies[static_cast<size_t>(i)];
      const auto a = static_cast<size_t>(part.interleaved ? begin + 2 * i : begin + i);
      const size_t b = a + (part.interleaved ? 1 : static_cast<size_t>(part.size / 2));
      y[a] = factor * (x[a] * std::cos(angle) - x[b] * std::sin(angle));
      y[b] = factor * (x[b] * std::cos(angle) + x[a] * std::sin(angle));
    }
  }
  return y;
}

// Elements that do not turn keep their bits.
TEST(Rope, EqualsTheDefinition) {
  DeviceContext ctx(Device::cpu);
  for (const RopePart& part : parts()) {
    const Values x = random_values(kRowCount * kHeads * part.head_dim, 1);
    const Values expected = reference(x, part, 1.25);
    for (const DType dtype : {DType::fp64, DType::fp32, DType::bf16}) {
      const DType statistic = dtype == DType::fp64 ? DType::fp64 : DType::fp32;
      const Tensor y = make(ctx, {kRowCount, kHeads * part.head_dim}, dtype, x);
      ops::rope(ctx, y, part, positions_of(ctx, kRowCount), table_of(ctx, part, statistic, 1.25),
                false);
      const Values got = values_of(y);
      EXPECT_LE(relative_error(got, expected), tolerance_of(dtype))
          << part.size << " of " << part.head_dim << " from " << part.begin << ", interleaved "
          << part.interleaved << ", " << to_string(dtype);
      for (size_t i = 0; i < got.size(); ++i) {
        const int64_t place = static_cast<int64_t>(i) % part.head_dim - part.begin;
        if (place < 0 || place >= part.size) {
          ASSERT_EQ(got[i], x[i]) << i;
        }
      }
    }
  }
}

// <R x, y> = <x, R^T y>, which is what a linear map's backward must satisfy.
TEST(Rope, InverseIsTheTransposedRotation) {
  DeviceContext ctx(Device::cpu);
  for (const RopePart& part : {kWhole, RopePart{9, 2, 6, false}, RopePart{9, 2, 6, true}}) {
    const int64_t size = kRowCount * kHeads * part.head_dim;
    const Values x = random_values(size, 2), dy = random_values(size, 3);
    const Tensor grad = make(ctx, {kRowCount, kHeads * part.head_dim}, DType::fp64, dy);
    ops::rope(ctx, grad, part, positions_of(ctx, kRowCount), table_of(ctx, part, DType::fp64, 0.75),
              true);
    const Values dx =
        numeric_gradient([&](const Values& v) { return dot(dy, reference(v, part, 0.75)); }, x);
    EXPECT_LE(relative_error(values_of(grad), dx), kGradientTolerance);
  }
}

// In bf16 too, whose vectors are others than those of the way there.
TEST(Rope, InverseTurnsBack) {
  DeviceContext ctx(Device::cpu);
  for (const RopePart& part : parts()) {
    const Values x = random_values(kRowCount * kHeads * part.head_dim, 4);
    for (const DType dtype : {DType::fp32, DType::bf16}) {
      const auto table = table_of(ctx, part, DType::fp32, 1.0);
      const Tensor y = make(ctx, {kRowCount, kHeads * part.head_dim}, dtype, x);
      ops::rope(ctx, y, part, positions_of(ctx, kRowCount), table, false);
      ops::rope(ctx, y, part, positions_of(ctx, kRowCount), table, true);
      EXPECT_LE(relative_error(values_of(y), x), tolerance_of(dtype));
    }
  }
}

TEST(Rope, RefusesWhatDoesNotFit) {
  DeviceContext ctx(Device::cpu);
  const auto table = table_of(ctx, kWhole, DType::fp32, 1.0);
  const Tensor x = filled(ctx, {4, kHeads * kWhole.head_dim}, DType::fp32, 1.0);
  const Tensor positions = positions_of(ctx, 4);
  const auto refused = [&](const Tensor& heads, const RopePart& part, const Tensor& at) {
    EXPECT_THROW(ops::rope(ctx, heads, part, at, table, false), std::logic_error)
        << part.size << " of " << part.head_dim << " from " << part.begin;
  };
  refused(x, {5, 0, 6}, positions);    // beyond its head
  refused(x, {12, 7, 6}, positions);   // the same, by its place
  refused(x, {12, -1, 6}, positions);  // before its head
  refused(x, {8, 0, 6}, positions);    // one head and a half
  refused(x, {12, 0, 12}, positions);  // more than the table has
  refused(x, {12, 0, 7}, positions);   // an odd part
  refused(x, kWhole, filled(ctx, {4}, DType::int32, kSeqLen + 3));
  refused(x, kWhole, positions_of(ctx, 3));
  refused(filled(ctx, {4, 12}, DType::fp64, 1.0), kWhole, positions);
  ops::rope(ctx, ctx.empty({0, 12}, DType::fp32, MemoryCategory::buffers), kWhole,
            positions_of(ctx, 0), table, false);
}

}  // namespace
}  // namespace argosy
