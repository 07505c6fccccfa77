// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "planner/spec/philox.h"
#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/initialize.h"

namespace argosy::ops {

namespace {

// Threads are worth starting for fewer elements than elsewhere: a normal number takes as long as 8
// elements of other loops.
constexpr int64_t kWorkOfDraw = 8;

// Numbers that are drawn at a time: they stay in a level-1 cache.
constexpr int64_t kDraws = 256;

// ln x for 0 < x <= 1, x = 2^e m with m in [sqrt(1/2), sqrt(2)): e ln 2 + 2 artanh((m - 1) / (m +
// 1)), whose series is cut where its terms fall below 1e-15.
[[gnu::always_inline]] inline double simd_log(double x) {
  constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcdu;  // the bits of sqrt(1/2)
  constexpr uint64_t kExponentBits = 52;
  const uint64_t above = std::bit_cast<uint64_t>(x) - kSqrtHalf;  // wraps below sqrt(1/2)
  const auto exponent = static_cast<int64_t>(above) >> kExponentBits;
  const double m = std::bit_cast<double>(std::bit_cast<uint64_t>(x) -
                                         (static_cast<uint64_t>(exponent) << kExponentBits));
  const double s = (m - 1) / (m + 1), z = s * s;
  double p = 1.0 / 19;
  p = p * z + 1.0 / 17;
  p = p * z + 1.0 / 15;
  p = p * z + 1.0 / 13;
  p = p * z + 1.0 / 11;
  p = p * z + 1.0 / 9;
  p = p * z + 1.0 / 7;
  p = p * z + 1.0 / 5;
  p = p * z + 1.0 / 3;
  p = p * z + 1.0;
  return static_cast<double>(exponent) * std::numbers::ln2 + 2 * s * p;
}

// cos(2 pi u) for 0 <= u < 1: u is a number of quarter turns and at most half of one, whose sine or
// cosine is Taylor's, cut below 1e-15.
[[gnu::always_inline]] inline double simd_cos_of_turns(double u) {
  constexpr double kRound = 0x1.8p52;  // its last bit counts ones
  const double shifted = 4 * u + kRound;
  const uint64_t quarters = std::bit_cast<uint64_t>(shifted);
  const double a = 2 * std::numbers::pi * (u - (shifted - kRound) / 4), z = a * a;
  double c = 1.0 / 20922789888000;  // 16!
  c = c * z - 1.0 / 87178291200;
  c = c * z + 1.0 / 479001600;
  c = c * z - 1.0 / 3628800;
  c = c * z + 1.0 / 40320;
  c = c * z - 1.0 / 720;
  c = c * z + 1.0 / 24;
  c = c * z - 0.5;
  c = c * z + 1.0;
  double s = -1.0 / 1307674368000;  // 15!
  s = s * z + 1.0 / 6227020800;
  s = s * z - 1.0 / 39916800;
  s = s * z + 1.0 / 362880;
  s = s * z - 1.0 / 5040;
  s = s * z + 1.0 / 120;
  s = s * z - 1.0 / 6;
  s = (s * z + 1.0) * a;
  const double value = (quarters & 1) != 0 ? s : c;
  // cos, -sin, -cos, sin of what is left, quarter by quarter.
  return ((quarters + 1) & 2) != 0 ? -value : value;
}

// to[i] = standard_normal(seed, stream, first + i) * factor, rounded to fp32: the very same bits.
// Logarithm and cosine are computed in vectors, to 1e-13 at least; where that leaves two fp32
// possible, about once in a million, the number is drawn again by the definition.
void draw_normals(uint64_t seed, uint64_t stream, uint64_t first, double factor, int64_t size,
                  float* to) {
  constexpr double kError = 1e-12;  // of the radius; ten times what the series above leave
  double radius[kDraws], angle[kDraws];
  bool is_open[kDraws];
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) {
    const PhiloxWords block = philox_words(seed, first + static_cast<uint64_t>(i), stream);
    radius[i] = 1.0 - unit_interval(block.x0, block.x1);
    angle[i] = unit_interval(block.x2, block.x3);
  }
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) {
    const double length = factor * std::sqrt(-2.0 * simd_log(radius[i]));
    const double value = length * simd_cos_of_turns(angle[i]), error = std::abs(length) * kError;
    to[i] = static_cast<float>(value - error);
    is_open[i] = to[i] != static_cast<float>(value + error);
  }
  for (int64_t i = 0; i < size; ++i) {
    if (is_open[i]) {
      const uint64_t index = first + static_cast<uint64_t>(i);
      to[i] = static_cast<float>(factor * standard_normal(seed, stream, index));
    }
  }
}

// Calls run(index, size, to) for runs of neighbouring elements of the box: `index` is that of the
// first in the whole tensor, `to` its place in `part`.
template <typename T, typename Run>
void for_runs(const TensorSpec& spec, const Box& box, T* part, const Run& run) {
  const int64_t num_cols = box.cols.size();
  for_blocks(box.size(), kElementBlock, kWorkOfDraw, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin, next; i < end; i = next) {
      const int64_t row = i / num_cols;
      next = std::min(end, (row + 1) * num_cols);
      const int64_t first = (box.rows.begin + row) * spec.cols + box.cols.begin - row * num_cols;
      run(static_cast<uint64_t>(first + i), next - i, part + i);
    }
  });
}

// part[r, c] = value(global index of the element) for the box; T is rounded once from double, and
// bf16 by way of fp32 (so that it equals the fp32 master weight rounded to bf16).
template <typename T, typename ValueOf>
void fill_box(const TensorSpec& spec, const Box& box, T* part, const ValueOf& value_of) {
  for_runs(spec, box, part, [&](uint64_t index, int64_t size, T* to) {
    for (int64_t i = 0; i < size; ++i)
      to[i] = static_cast<T>(value_of(index + static_cast<uint64_t>(i)));
  });
}

// The same for normal numbers.
template <typename T>
void fill_normal(const TensorSpec& spec, const Box& box, uint64_t seed, uint64_t stream, T* part) {
  if constexpr (std::is_same_v<T, double>) {
    fill_box(spec, box, part,
             [&](uint64_t index) { return spec.init_std * standard_normal(seed, stream, index); });
  } else {
    for_runs(spec, box, part, [&](uint64_t index, int64_t size, T* to) {
      float values[kDraws];
      for (int64_t at = 0; at < size; at += kDraws) {
        const int64_t count = std::min(size - at, kDraws);
        draw_normals(seed, stream, index + static_cast<uint64_t>(at), spec.init_std, count, values);
#pragma omp simd
        for (int64_t i = 0; i < count; ++i) store(to[at + i], values[i]);
      }
    });
  }
}

}  // namespace

template <>
void detail::initialize<Device::cpu>(const TensorSpec& spec, const Box& box, uint64_t seed,
                                     const Tensor& part) {
  const uint64_t stream = hash_name(spec.name);
  const double bound = 1.0 / std::sqrt(static_cast<double>(spec.cols));
  dispatch_float(part.dtype(), [&]<typename T>() {
    T* to = part.data<T>();
    switch (spec.init) {
      case Init::zeros:
        return fill_box(spec, box, to, [](uint64_t) { return 0.0; });
      case Init::ones:
        return fill_box(spec, box, to, [](uint64_t) { return 1.0; });
      case Init::normal:
        return fill_normal(spec, box, seed, stream, to);
      case Init::kaiming_uniform:
        return fill_box(spec, box, to, [&](uint64_t index) {
          return bound * (2 * uniform(seed, stream, index) - 1);
        });
    }
  });
}

}  // namespace argosy::ops
