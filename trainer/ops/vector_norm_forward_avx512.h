// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// RMSNorm and LayerNorm, of VectorRows, in bf16 and fp32. Included by vector_rows_avx512.cpp only;
// internal linkage, as cpu_words_avx512.h.
#pragma once

#include <immintrin.h>

#include <cmath>
#include <type_traits>
#include <utility>

#include "trainer/ops/vector_pairs_avx512.h"
#include "trainer/ops/vector_rows.h"

namespace argosy::ops::detail {
namespace {

// xhat of a row; RMSNorm's mean is 0.
template <bool kCentered, typename T>
[[gnu::always_inline]] inline Pair xhat_of(const NormRow<T>& row, int64_t i, auto part) {
  const __m512 mean = all(row.mean), inv = all(row.inv);
  const auto f = [=](__m512 x) {
    return _mm512_mul_ps(kCentered ? _mm512_sub_ps(x, mean) : x, inv);
  };
  return both(f, load_mixed(row.x + i, part));
}

// y = gain (x - mean) inv + bias of 32 elements; without kCentered neither mean nor bias.
template <bool kCentered, typename T>
[[gnu::always_inline]] inline void normalize_step(const NormRow<T>& row, const T* bias, T* y,
                                                  int64_t i, auto part) {
  const Pair xhat = xhat_of<kCentered>(row, i, part), gain = load_mixed(row.gain + i, part);
  if constexpr (kCentered) {
    store_mixed(y + i, fused(xhat, gain, load_mixed(bias + i, part)), part);
  } else {
    store_mixed(y + i, times(xhat, gain), part);
  }
}

template <typename T>
void normalize(const NormRow<T>& row, const T* bias, T* y) {
  if (bias == nullptr) {
    for_steps(row.cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
      normalize_step<false>(row, bias, y, i, part);
    });
  } else {
    for_steps(row.cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
      normalize_step<true>(row, bias, y, i, part);
    });
  }
}

// 32 elements of a row, to which the residual's are added before, unless it is null: as T holds
// them.
template <bool kResidual, typename T>
[[gnu::always_inline]] inline Pair summed(T* x, const T* residual, int64_t i, auto part) {
  if constexpr (!kResidual) return load_mixed(x + i, part);
  const Pair sum = plus(load_mixed(x + i, part), load_mixed(residual + i, part));
  store_mixed(x + i, sum, part);
  if constexpr (std::is_same_v<T, bfloat16>) return mixed(in_order(sum));
  return sum;
}

// Mean and variance of a row in one pass, from distances to a guess: the mean of its first
// elements, or 0 where that is less than they deviate, so that a mean next to 0 is a plain sum. A
// guess is at most 2 sqrt(cols / kStep) deviations from the row's mean: the difference below loses
// no more than 4 cols / kStep roundings of fp32. RMSNorm's mean is 0.
template <bool kCentered>
struct RowMoments {
  float guess = 0;
  Pair sum = {_mm512_setzero_ps(), _mm512_setzero_ps()}, squares = sum;

  template <typename T>
  [[gnu::always_inline]] void add(const Pair& x, auto part) {
    if constexpr (kCentered) {
      const __m512 center = all(guess);
      const auto distance = [=](__m512 v) { return _mm512_sub_ps(v, center); };
      const Pair d = existing<T>(both(distance, x), part);
      sum = plus(sum, d);
      squares = fused(d, d, squares);
    } else {
      squares = fused(x, x, squares);
    }
  }
  static float total(const Pair& v) { return _mm512_reduce_add_ps(_mm512_add_ps(v.low, v.high)); }
  // Of `cols` elements: the mean, and 1 / sqrt(variance + eps).
  std::pair<float, float> mean_and_inverse(int64_t cols, float eps) const {
    const auto count = static_cast<float>(cols);
    const float distance = kCentered ? total(sum) / count : 0.0f;
    const float variance = total(squares) / count - distance * distance;
    // A row of equal numbers may leave a rounding below zero; a NaN stays one.
    return {guess + distance, 1.0f / std::sqrt((variance < 0.0f ? 0.0f : variance) + eps)};
  }
};

// Of a row, with its guess and nothing added.
template <bool kCentered, bool kResidual, typename T>
RowMoments<kCentered> moments_of_none(const T* x, const T* residual, int64_t cols) {
  RowMoments<kCentered> moments;
  if constexpr (kCentered) {
    const auto guess = [=](int64_t count, auto part) [[gnu::always_inline]] {
      Pair first = load_mixed(x, part);
      if constexpr (kResidual) {
        first = plus(first, load_mixed(residual, part));
        if constexpr (std::is_same_v<T, bfloat16>) first = mixed(in_order(first));
      }
      const Pair none = {_mm512_setzero_ps(), _mm512_setzero_ps()};
      const auto size = static_cast<float>(count);
      const float mean = moments.total(first) / size;
      return 2 * mean * mean > moments.total(fused(first, first, none)) / size ? mean : 0.0f;
    };
    moments.guess = cols < kStep ? guess(cols, Part{low_bits(cols)}) : guess(kStep, Whole{});
  }
  return moments;
}

// A row is normalised in the same loop that takes the moments of the one behind it: memory is read
// and written all the time, not in turns with arithmetic.
template <bool kCentered, bool kResidual, typename T>
void norm_rows(const NormForward<T>& f, int64_t count) {
  const int64_t cols = f.cols;
  const auto residual_of = [&](int64_t r) { return kResidual ? f.residual + r * cols : nullptr; };
  const auto begun = [&](int64_t r) {
    return moments_of_none<kCentered, kResidual>(f.x + r * cols, residual_of(r), cols);
  };
  RowMoments<kCentered> moments = begun(0);
  for_steps(cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    moments.template add<T>(summed<kResidual>(f.x, f.residual, i, part), part);
  });
  for (int64_t r = 0; r < count; ++r) {
    const auto [mean, inv] = moments.mean_and_inverse(cols, f.eps);
    if constexpr (kCentered) f.means[r] = mean;
    f.invs[r] = inv;
    const NormRow<T> row = {f.x + r * cols, f.gain, cols, mean, inv};
    T* y = f.y + r * cols;
    if (r + 1 == count) {
      normalize(row, f.bias, y);
      break;
    }
    moments = begun(r + 1);
    T* behind = f.x + (r + 1) * cols;
    for_steps(cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
      normalize_step<kCentered>(row, f.bias, y, i, part);
      moments.template add<T>(summed<kResidual>(behind, residual_of(r + 1), i, part), part);
    });
  }
}

template <typename T>
void norm_forward(const NormForward<T>& f, int64_t count) {
  if (count == 0) return;
  const bool centered = f.means != nullptr, residual = f.residual != nullptr;
  const auto run = centered ? (residual ? norm_rows<true, true, T> : norm_rows<true, false, T>)
                            : (residual ? norm_rows<false, true, T> : norm_rows<false, false, T>);
  run(f, count);
}

}  // namespace
}  // namespace argosy::ops::detail
