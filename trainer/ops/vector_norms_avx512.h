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

// sums += v, both in the order of load_mixed(); behind the last whole step sums are in order.
inline void accumulate(float* sums, const Pair& v, Whole part) {
  store(sums, plus(load(sums, part), v), part);
}
inline void accumulate(float* sums, const Pair& v, Part part) {
  store(sums, plus(load(sums, part), unmixed(v)), part);
}
// sums += a b
inline void accumulate(float* sums, const Pair& a, const Pair& b, Whole part) {
  store(sums, fused(a, b, load(sums, part)), part);
}
inline void accumulate(float* sums, const Pair& a, const Pair& b, Part part) {
  accumulate(sums, both([](__m512 x, __m512 y) { return _mm512_mul_ps(x, y); }, a, b), part);
}
// f of each whole step of the sums, which may be null.
void reorder(float* sums, int64_t size, Pair (*f)(const Pair&)) {
  if (sums == nullptr) return;
  for (int64_t i = 0; i + kStep <= size; i += kStep) {
    store(sums + i, f(load(sums + i, Whole{})), Whole{});
  }
}

// What the backward pass of a row needs besides its elements.
struct RowTerms {
  float shift, slope;
};

// xhat of a row; RMSNorm's mean is 0.
template <bool kCentered>
[[gnu::always_inline]] inline Pair xhat_of(const NormRow& row, int64_t i, auto part) {
  const __m512 mean = all(row.mean), inv = all(row.inv);
  const auto f = [=](__m512 x) {
    return _mm512_mul_ps(kCentered ? _mm512_sub_ps(x, mean) : x, inv);
  };
  return both(f, load_mixed(row.x + i, part));
}

// The sums over the columns that shift and slope come from.
template <bool kCentered>
struct RowSums {
  __m512 sum = _mm512_setzero_ps(), projection = _mm512_setzero_ps();

  [[gnu::always_inline]] void add(const NormRow& row, const bfloat16* dy, const Pair& gain,
                                  int64_t i, auto part) {
    const Pair d = both([](__m512 a, __m512 b) { return _mm512_mul_ps(a, b); },
                        load_mixed(dy + i, part), gain);
    const Pair xhat = xhat_of<kCentered>(row, i, part);
    if constexpr (kCentered) sum = _mm512_add_ps(sum, _mm512_add_ps(d.low, d.high));
    projection = _mm512_fmadd_ps(d.low, xhat.low, projection);
    projection = _mm512_fmadd_ps(d.high, xhat.high, projection);
  }
  RowTerms terms(int64_t cols) const {
    const auto size = static_cast<float>(cols);
    return {kCentered ? _mm512_reduce_add_ps(sum) / size : 0.0f,
            _mm512_reduce_add_ps(projection) / size};
  }
};

// A row whose terms are known; with kNext the sums of the one behind it in the same loop, and what
// both loops will read is asked for: memory is read all the time, not in bursts. Returns the next
// row's terms.
template <bool kCentered, bool kAdd, bool kNext>
RowTerms row_backward(const NormRow* row, const RowTerms& terms, const bfloat16* dy, bfloat16* dx,
                      float* dgain, float* dbias) {
  constexpr int64_t kAhead = 2304;  // 4.5 KiB; half or twice of it are slower
  const int64_t cols = row->cols;
  const __m512 inv = all(row->inv), shift = all(terms.shift), slope = all(terms.slope);
  const auto gradient = [=](__m512 grad, __m512 gain, __m512 xhat) {
    const __m512 bent =
        kCentered ? _mm512_fmadd_ps(xhat, slope, shift) : _mm512_mul_ps(xhat, slope);
    return _mm512_fmsub_ps(grad, gain, bent);
  };
  RowSums<kCentered> next;
  for_steps(cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    prefetch(dy + cols + kAhead + i);
    prefetch(row->x + cols + kAhead + i);
    prefetch(dx + kAhead + i);
    const Pair gain = load_mixed(row->gain + i, part), grad = load_mixed(dy + i, part);
    const Pair xhat = xhat_of<kCentered>(*row, i, part);
    const Pair bent = both(gradient, grad, gain, xhat);
    if constexpr (kAdd) {
      const auto sum = [=](__m512 v, __m512 old) { return _mm512_fmadd_ps(inv, v, old); };
      store_mixed(dx + i, both(sum, bent, load_mixed(dx + i, part)), part);
    } else {
      store_mixed(dx + i, both([=](__m512 v) { return _mm512_mul_ps(inv, v); }, bent), part);
    }
    if (dgain != nullptr) accumulate(dgain + i, grad, xhat, part);
    if (kCentered && dbias != nullptr) accumulate(dbias + i, grad, part);
    if constexpr (kNext) next.add(row[1], dy + cols, gain, i, part);
  });
  return next.terms(cols);
}

template <bool kCentered, bool kAdd>
void all_backward(const NormRow* rows, int64_t count, const bfloat16* dy, bfloat16* dx,
                  float* dgain, float* dbias) {
  const int64_t cols = rows->cols;
  RowSums<kCentered> first;
  for_steps(cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    first.add(*rows, dy, load_mixed(rows->gain + i, part), i, part);
  });
  RowTerms terms = first.terms(cols);
  for (int64_t r = 0; r < count; ++r) {
    const auto run =
        r + 1 < count ? row_backward<kCentered, kAdd, true> : row_backward<kCentered, kAdd, false>;
    terms = run(rows + r, terms, dy + r * cols, dx + r * cols, dgain, dbias);
  }
}

void normalize_backward(const NormRow* rows, int64_t count, const bfloat16* dy, bool centered,
                        bool add, bfloat16* dx, float* dgain, float* dbias) {
  const auto run = centered ? (add ? all_backward<true, true> : all_backward<true, false>)
                            : (add ? all_backward<false, true> : all_backward<false, false>);
  if (count == 0) return;
  for (float* sums : {dgain, dbias}) reorder(sums, rows->cols, in_mixed_order);
  run(rows, count, dy, dx, dgain, dbias);
  for (float* sums : {dgain, dbias}) reorder(sums, rows->cols, unmixed);
}

}  // namespace
}  // namespace argosy::ops::detail
