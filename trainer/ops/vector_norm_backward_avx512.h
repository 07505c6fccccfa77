// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The backward pass of RMSNorm and LayerNorm, of VectorRows. Included by vector_rows_avx512.cpp
// only; internal linkage, as cpu_words_avx512.h.
#pragma once

#include <immintrin.h>

#include "trainer/ops/vector_norm_forward_avx512.h"
#include "trainer/ops/vector_pairs_avx512.h"
#include "trainer/ops/vector_rows.h"

namespace argosy::ops::detail {
namespace {

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
  accumulate(sums, times(a, b), part);
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

// The sums over the columns that shift and slope come from.
template <bool kCentered>
struct RowSums {
  __m512 sum = _mm512_setzero_ps(), projection = _mm512_setzero_ps();

  [[gnu::always_inline]] void add(const NormRow<bfloat16>& row, const bfloat16* dy,
                                  const Pair& gain, int64_t i, auto part) {
    const Pair d = times(load_mixed(dy + i, part), gain);
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
RowTerms row_backward(const NormRow<bfloat16>& row, const NormRow<bfloat16>& behind,
                      const RowTerms& terms, const bfloat16* dy, bfloat16* dx, float* dgain,
                      float* dbias) {
  constexpr int64_t kAhead = 2304;  // 4.5 KiB; half or twice of it are slower
  const int64_t cols = row.cols;
  const __m512 inv = all(row.inv), shift = all(terms.shift), slope = all(terms.slope);
  const auto gradient = [=](__m512 grad, __m512 gain, __m512 xhat) {
    const __m512 bent =
        kCentered ? _mm512_fmadd_ps(xhat, slope, shift) : _mm512_mul_ps(xhat, slope);
    return _mm512_fmsub_ps(grad, gain, bent);
  };
  RowSums<kCentered> next;
  for_steps(cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    prefetch_rows(dy + cols + kAhead + i);
    prefetch_rows(row.x + cols + kAhead + i);
    prefetch_rows(dx + kAhead + i);
    const Pair gain = load_mixed(row.gain + i, part), grad = load_mixed(dy + i, part);
    const Pair xhat = xhat_of<kCentered>(row, i, part);
    const Pair bent = both(gradient, grad, gain, xhat);
    if constexpr (kAdd) {
      const auto sum = [=](__m512 v, __m512 old) { return _mm512_fmadd_ps(inv, v, old); };
      store_mixed(dx + i, both(sum, bent, load_mixed(dx + i, part)), part);
    } else {
      store_mixed(dx + i, both([=](__m512 v) { return _mm512_mul_ps(inv, v); }, bent), part);
    }
    if (dgain != nullptr) accumulate(dgain + i, grad, xhat, part);
    if (kCentered && dbias != nullptr) accumulate(dbias + i, grad, part);
    if constexpr (kNext) next.add(behind, dy + cols, gain, i, part);
  });
  return next.terms(cols);
}

template <bool kCentered, bool kAdd>
void all_backward(const NormRows<bfloat16>& rows, int64_t count, const bfloat16* dy, bfloat16* dx,
                  float* dgain, float* dbias) {
  const int64_t cols = rows.cols;
  RowSums<kCentered> first;
  for_steps(cols, [&](int64_t i, auto part) [[gnu::always_inline]] {
    first.add(rows.row(0), dy, load_mixed(rows.gain + i, part), i, part);
  });
  RowTerms terms = first.terms(cols);
  for (int64_t r = 0; r < count; ++r) {
    const bool is_last = r + 1 == count;
    const auto run =
        is_last ? row_backward<kCentered, kAdd, false> : row_backward<kCentered, kAdd, true>;
    terms = run(rows.row(r), rows.row(is_last ? r : r + 1), terms, dy + r * cols, dx + r * cols,
                dgain, dbias);
  }
}

void normalize_backward(const NormRows<bfloat16>& rows, int64_t count, const bfloat16* dy,
                        bool centered, bool add, bfloat16* dx, float* dgain, float* dbias) {
  const auto run = centered ? (add ? all_backward<true, true> : all_backward<true, false>)
                            : (add ? all_backward<false, true> : all_backward<false, false>);
  if (count == 0) return;
  for (float* sums : {dgain, dbias}) reorder(sums, rows.cols, in_mixed_order);
  run(rows, count, dy, dx, dgain, dbias);
  for (float* sums : {dgain, dbias}) reorder(sums, rows.cols, unmixed);
}

}  // namespace
}  // namespace argosy::ops::detail
