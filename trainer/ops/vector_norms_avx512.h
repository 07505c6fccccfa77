// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// RMSNorm and LayerNorm of VectorRows. Included by vector_rows_avx512.cpp only; internal linkage,
// as cpu_words_avx512.h.
#pragma once

#include <immintrin.h>

#include <algorithm>

#include "trainer/ops/vector_pairs_avx512.h"
#include "trainer/ops/vector_rows.h"

namespace argosy::ops::detail {
namespace {

// Elements beyond the end are not to count as 0 - center.
inline Pair centered_on(const Pair& v, __m512 center, Whole) {
  return {_mm512_sub_ps(v.low, center), _mm512_sub_ps(v.high, center)};
}
inline Pair centered_on(const Pair& v, __m512 center, Part p) {
  return {_mm512_maskz_sub_ps(even_mask(p), v.low, center),
          _mm512_maskz_sub_ps(odd_mask(p), v.high, center)};
}

float sum_of_squares(const bfloat16* x, int64_t size) {
  Sums sums;
  for_chains(size, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    prefetch(x + size + i);
    const Pair v = load_mixed(x + i, part);
    sums.chains[chain] = fused(v, v, sums.chains[chain]);
  });
  return sums.total();
}

float sum_of_first(const bfloat16* x, int64_t size) {
  const Pair first = size < kStep ? load_mixed(x, Part{low_bits(size)}) : load_mixed(x, Whole{});
  return _mm512_reduce_add_ps(_mm512_add_ps(first.low, first.high));
}

// In one pass, from distances to the mean of the row's first elements. That mean is at most
// sqrt(size / kStep) deviations from the row's, so that the difference below loses no more than
// size / kStep roundings of fp32.
Moments moments(const bfloat16* x, int64_t size) {
  const auto count = static_cast<float>(size);
  const float guess = sum_of_first(x, size) / static_cast<float>(std::min(size, kStep));
  Sums sums, squares;
  for_chains(size, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    prefetch(x + size + i);
    const Pair v = centered_on(load_mixed(x + i, part), all(guess), part);
    sums.chains[chain] = plus(sums.chains[chain], v);
    squares.chains[chain] = fused(v, v, squares.chains[chain]);
  });
  const float distance = sums.total() / count;
  const float variance = squares.total() / count - distance * distance;
  // A row of equal numbers may leave a rounding below zero; a NaN stays one.
  return {guess + distance, variance < 0.0f ? 0.0f : variance};
}

void normalize(const NormRow& row, const bfloat16* bias, bfloat16* y) {
  const __m512 mean = all(row.mean), inv = all(row.inv);
  const auto xhat = [=](__m512 x) { return _mm512_mul_ps(_mm512_sub_ps(x, mean), inv); };
  const auto scaled = [=](__m512 x, __m512 gain) { return _mm512_mul_ps(xhat(x), gain); };
  const auto shifted = [=](__m512 x, __m512 gain, __m512 b) {
    return _mm512_fmadd_ps(xhat(x), gain, b);
  };
  if (bias == nullptr) {
    for_steps(row.cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
      const Pair x = load_mixed(row.x + i, part), gain = load_mixed(row.gain + i, part);
      store_mixed(y + i, both(scaled, x, gain), part);
    });
    return;
  }
  for_steps(row.cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    const Pair x = load_mixed(row.x + i, part), gain = load_mixed(row.gain + i, part);
    store_mixed(y + i, both(shifted, x, gain, load_mixed(bias + i, part)), part);
  });
}

// sums += v, which is in the order of load_mixed().
inline void accumulate(float* sums, const Pair& v, auto part) {
  store(sums, plus(load(sums, part), unmixed(v)), part);
}

// Rows of the backward pass that are worked on together: gain is loaded, and the sums over rows
// are, once for all of them.
constexpr int64_t kRowsTogether = 2;  // of 768 columns four would not fit into a level-1 cache

// What a row of the backward pass needs besides its elements.
struct RowTerms {
  float mean, inv, shift, slope;
};

// The sums over the columns that shift and slope come from, of kRows rows. With mean(d) where
// kCentered.
template <int kRows, bool kCentered>
struct RowSums {
  __m512 sums[kRows], projections[kRows];

  RowSums() {
    for (int r = 0; r < kRows; ++r) sums[r] = projections[r] = _mm512_setzero_ps();
  }
  // Columns i and on of each of the rows, which begin with `first`.
  [[gnu::always_inline]] void add(const NormRow* first, const bfloat16* dy, const Pair& gain,
                                  int64_t i, auto part) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const __m512 mean = all(first[r].mean), inv = all(first[r].inv);
      const auto xhat_of = [=](__m512 x) {
        return _mm512_mul_ps(kCentered ? _mm512_sub_ps(x, mean) : x, inv);
      };
      const int64_t at = r * first->cols + i;
      const Pair d = both([](__m512 a, __m512 b) { return _mm512_mul_ps(a, b); },
                          load_mixed(dy + at, part), gain);
      const Pair xhat = both(xhat_of, load_mixed(first->x + at, part));
      if constexpr (kCentered) sums[r] = _mm512_add_ps(sums[r], _mm512_add_ps(d.low, d.high));
      projections[r] = _mm512_fmadd_ps(d.low, xhat.low, projections[r]);
      projections[r] = _mm512_fmadd_ps(d.high, xhat.high, projections[r]);
    }
  }
  void finish(const NormRow* first, RowTerms* terms) const {
    const float size = static_cast<float>(first->cols);
    for (int r = 0; r < kRows; ++r) {
      terms[r] = {first[r].mean, first[r].inv,
                  kCentered ? _mm512_reduce_add_ps(sums[r]) / size : 0.0f,
                  _mm512_reduce_add_ps(projections[r]) / size};
    }
  }
};

// Of rows whose sums nobody has taken yet.
template <int kRows, bool kCentered>
void take_sums(const NormRow* first, const bfloat16* dy, RowTerms* terms) {
  RowSums<kRows, kCentered> sums;
  for_steps(first->cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    sums.add(first, dy, load_mixed(first->gain + i, part), i, part);
  });
  sums.finish(first, terms);
}

// kRows rows whose terms are known; with kNext the sums of as many rows behind them in the same
// loop, and the rows behind those are asked for: memory is read all the time, not in bursts.
template <int kRows, bool kCentered, bool kAdd, bool kNext>
void rows_backward(const NormRow* first, RowTerms* terms, const bfloat16* dy, bfloat16* dx,
                   float* dgain, float* dbias) {
  const int64_t cols = first->cols, group = kRows * cols;
  RowSums<kRows, kCentered> next;
  for_steps(cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    const Pair gain = load_mixed(first->gain + i, part);
    Pair gain_sum = {}, bias_sum = {};
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const int64_t at = r * cols + i;
      const RowTerms& row = terms[r];
      const __m512 mean = all(row.mean), inv = all(row.inv);
      const __m512 shift = all(row.shift), slope = all(row.slope);
      const auto xhat_of = [=](__m512 x) {
        return _mm512_mul_ps(kCentered ? _mm512_sub_ps(x, mean) : x, inv);
      };
      const auto gradient = [=](__m512 grad, __m512 g, __m512 xhat) {
        const __m512 bent =
            kCentered ? _mm512_fmadd_ps(xhat, slope, shift) : _mm512_mul_ps(xhat, slope);
        return _mm512_fmsub_ps(grad, g, bent);
      };
      prefetch(dy + 2 * group + at);
      prefetch(first->x + 2 * group + at);
      prefetch(dx + group + at);
      const Pair grad = load_mixed(dy + at, part);
      const Pair xhat = both(xhat_of, load_mixed(first->x + at, part));
      gain_sum = fused(grad, xhat, gain_sum);
      if constexpr (kCentered) bias_sum = plus(bias_sum, grad);
      const Pair bent = both(gradient, grad, gain, xhat);
      if constexpr (kAdd) {
        const auto sum = [=](__m512 v, __m512 old) { return _mm512_fmadd_ps(inv, v, old); };
        store_mixed(dx + at, both(sum, bent, load_mixed(dx + at, part)), part);
      } else {
        store_mixed(dx + at, both([=](__m512 v) { return _mm512_mul_ps(inv, v); }, bent), part);
      }
    }
    if (dgain != nullptr) accumulate(dgain + i, gain_sum, part);
    if (kCentered && dbias != nullptr) accumulate(dbias + i, bias_sum, part);
    if constexpr (kNext) next.add(first + kRows, dy + group, gain, i, part);
  });
  if constexpr (kNext) next.finish(first + kRows, terms);
}

template <bool kCentered, bool kAdd>
void all_backward(const NormRow* rows, int64_t count, const bfloat16* dy, bfloat16* dx,
                  float* dgain, float* dbias) {
  constexpr int kRows = kRowsTogether;
  constexpr int64_t kBlock = kRows;
  if (count == 0) return;
  const int64_t cols = rows->cols;
  RowTerms terms[kRows];
  if (count >= kRows) take_sums<kRows, kCentered>(rows, dy, terms);
  for (; count >= kBlock;
       count -= kBlock, rows += kBlock, dy += kBlock * cols, dx += kBlock * cols) {
    const auto run = count >= 2 * kBlock ? rows_backward<kRows, kCentered, kAdd, true>
                                         : rows_backward<kRows, kCentered, kAdd, false>;
    run(rows, terms, dy, dx, dgain, dbias);
  }
  for (; count > 0; --count, ++rows, dy += cols, dx += cols) {
    take_sums<1, kCentered>(rows, dy, terms);
    rows_backward<1, kCentered, kAdd, false>(rows, terms, dy, dx, dgain, dbias);
  }
}

void normalize_backward(const NormRow* rows, int64_t count, const bfloat16* dy, bool centered,
                        bool add, bfloat16* dx, float* dgain, float* dbias) {
  const auto run = centered ? (add ? all_backward<true, true> : all_backward<true, false>)
                            : (add ? all_backward<false, true> : all_backward<false, false>);
  run(rows, count, dy, dx, dgain, dbias);
}

}  // namespace
}  // namespace argosy::ops::detail
