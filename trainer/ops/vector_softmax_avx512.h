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

// sums += a b, of the elements that there are.
inline Pair add_products(const Pair& a, const Pair& b, const Pair& sums, Whole) {
  return fused(a, b, sums);
}
inline Pair add_products(const Pair& a, const Pair& b, const Pair& sums, Part p) {
  return {_mm512_mask3_fmadd_ps(a.low, b.low, sums.low, low_mask(p)),
          _mm512_mask3_fmadd_ps(a.high, b.high, sums.high, high_mask(p))};
}

// The larger of both, of the elements that there are; a NaN is passed over.
inline Pair larger(const Pair& v, const Pair& most, Whole) {
  return {_mm512_max_ps(v.low, most.low), _mm512_max_ps(v.high, most.high)};
}
inline Pair larger(const Pair& v, const Pair& most, Part p) {
  return {_mm512_mask_max_ps(most.low, low_mask(p), v.low, most.low),
          _mm512_mask_max_ps(most.high, high_mask(p), v.high, most.high)};
}

// e^(x - top) scale = 2^n times `fraction`, scale 2^r.
struct Exponentials {
  Pair fraction, power;
};

// n, the whole number next to (x - top) log2(e), stands in the low bits of that and kShift, beside
// fp32's own offset of exponents: multiplications, additions and a shift. VREDUCEPS and VSCALEFPS
// would be fewer instructions, but each of them takes a Zen 4 the time of two. n is at least -127,
// where 2^n so written is 0: what is below e^-87.6 counts as 0. The two are multiplied, not their
// exponents added, as a NaN has any bits.
[[gnu::always_inline]] inline Exponentials exponentials(const Pair& x, float top, float scale) {
  constexpr float kShift = kRound + 127;
  const auto below_top = [=](__m512 v) {  // the second operand where one is a NaN
    return _mm512_max_ps(all(-88.0f), _mm512_sub_ps(v, all(top)));
  };
  const auto nearest = [](__m512 v) { return _mm512_fmadd_ps(v, all(kLog2E), all(kShift)); };
  const auto rest = [](__m512 v, __m512 n) {
    return _mm512_fmsub_ps(v, all(kLog2E), _mm512_sub_ps(n, all(kShift)));
  };
  const auto fraction = [=](__m512 r) { return fine_polynomial(r, scale); };
  const auto power = [](__m512 n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(n), 23));
  };
  const Pair v = both(below_top, x), n = both(nearest, v);
  return {both(fraction, both(rest, v, n)), both(power, n)};
}

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
    const Exponentials e = exponentials(logits, top, 1.0f);
    sums.chains[chain] = add_products(e.fraction, e.power, sums.chains[chain], part);
  });
  *largest = _mm512_reduce_max_ps(_mm512_max_ps(most.low, most.high));
  return sums.total();
}

template <typename T>
void exp_to(const float* x, float top, float scale, T* to, int64_t size) {
  for_steps(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    const Exponentials e = exponentials(load(x + i, part), top, scale);
    store(to + i, times(e.fraction, e.power), part);
  });
}

}  // namespace
}  // namespace argosy::ops::detail
