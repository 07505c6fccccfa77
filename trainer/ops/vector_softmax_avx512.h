// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The softmax of a row of logits, of VectorRows. Included by vector_rows_avx512.cpp only; internal
// linkage, as cpu_words_avx512.h.
#pragma once

#include <immintrin.h>

#include <limits>

#include "trainer/ops/vector_pairs_avx512.h"
#include "trainer/ops/vector_powers_avx512.h"

namespace argosy::ops::detail {
namespace {

float maximum(const float* x, int64_t size) {
  const __m512 lowest = all(-std::numeric_limits<float>::infinity());
  __m512 low = lowest, high = lowest;
  int64_t i = 0;
  for (; i + kStep <= size; i += kStep) {
    low = _mm512_max_ps(_mm512_loadu_ps(x + i), low);
    high = _mm512_max_ps(_mm512_loadu_ps(x + i + 16), high);
  }
  for (; i < size; i += 16) {
    const auto mask = static_cast<__mmask16>(low_bits(size - i));
    low = _mm512_max_ps(_mm512_mask_loadu_ps(lowest, mask, x + i), low);
  }
  return _mm512_reduce_max_ps(_mm512_max_ps(low, high));
}

// sums += a, of the elements that there are.
inline Pair add_terms(const Pair& a, const Pair& sums, Whole) {
  return plus(a, sums);
}
inline Pair add_terms(const Pair& a, const Pair& sums, Part p) {
  return {_mm512_mask_add_ps(sums.low, low_mask(p), a.low, sums.low),
          _mm512_mask_add_ps(sums.high, high_mask(p), a.high, sums.high)};
}

// The larger of both, of the elements that there are; a NaN is passed over.
inline Pair larger(const Pair& v, const Pair& most, Whole) {
  return {_mm512_max_ps(v.low, most.low), _mm512_max_ps(v.high, most.high)};
}
inline Pair larger(const Pair& v, const Pair& most, Part p) {
  return {_mm512_mask_max_ps(most.low, low_mask(p), v.low, most.low),
          _mm512_mask_max_ps(most.high, high_mask(p), v.high, most.high)};
}

// e^v = 2^n 2^r, where n is the whole number next to v log2(e) and stands in the low bits of
// v log2(e) + kRound: multiplications, additions and shifts. VREDUCEPS and VSCALEFPS would be fewer
// instructions, but each of them takes a Zen 4 the time of two.
inline __m512 nearest_power(__m512 v) {
  return _mm512_fmadd_ps(v, all(kLog2E), all(kRound));
}
// r
inline __m512 beside_power(__m512 v, __m512 n) {
  return _mm512_fmsub_ps(v, all(kLog2E), _mm512_sub_ps(n, all(kRound)));
}
// n where an exponent is.
inline __m512i as_exponent(__m512 n) {
  return _mm512_slli_epi32(_mm512_castps_si512(n), 23);
}
// x - top, but no less than `least`; the second operand where one is a NaN.
inline Pair below_top(const Pair& x, float top, float least) {
  return both([=](__m512 v) { return _mm512_max_ps(all(least), _mm512_sub_ps(v, all(top))); }, x);
}

// 2^n 2^r, of numbers and a result whose exponents fp32 has.
inline __m512 power_added(__m512 p, __m512 n) {
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), as_exponent(n)));
}

// What is below e^-87 counts as that: beside a sum of at least 1 it is nothing.
float exp_sum(const float* x, float top, int64_t size, float* largest) {
  constexpr int64_t kAhead = 1024;  // 4 KiB: farther than the CPU looks while it computes
  Sums sums;
  const __m512 lowest = all(-std::numeric_limits<float>::infinity());
  Pair most = {lowest, lowest};
  for_chains(size, [&](int64_t i, auto part, int chain) [[gnu::always_inline]] {
    prefetch(x + i + kAhead);
    prefetch(x + i + kAhead + 16);
    const Pair logits = load(x + i, part);
    most = larger(logits, most, part);
    const Pair v = below_top(logits, top, -87.0f), n = both(nearest_power, v);
    const Pair p = both([](__m512 r) { return fine_polynomial(r); }, both(beside_power, v, n));
    const Pair terms = both(power_added, p, n);
    sums.chains[chain] = add_terms(terms, sums.chains[chain], part);
  });
  *largest = _mm512_reduce_max_ps(_mm512_max_ps(most.low, most.high));
  return sums.total();
}

// 2^n by writing n and fp32's offset of exponents into one: 0 for n = -127, so that what is below
// e^-87.6 is 0, and a product with the scale may be as small as numbers are.
template <typename T>
void exp_to(const float* x, float top, float scale, T* to, int64_t size) {
  constexpr int32_t kOffset = 127 << 23;
  const auto power = [](__m512 n) {
    return _mm512_castsi512_ps(_mm512_add_epi32(as_exponent(n), _mm512_set1_epi32(kOffset)));
  };
  for_steps(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    const Pair v = below_top(load(x + i, part), top, -88.0f), n = both(nearest_power, v);
    const Pair p =
        both([=](__m512 r) { return fine_polynomial(r, scale); }, both(beside_power, v, n));
    const auto product = [](__m512 a, __m512 b) { return _mm512_mul_ps(a, b); };
    store(to + i, both(product, p, both(power, n)), part);
  });
}

}  // namespace
}  // namespace argosy::ops::detail
