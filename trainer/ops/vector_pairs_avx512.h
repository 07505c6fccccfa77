// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// 32 elements at a time: a cache line of bf16, two vectors of fp32. Included by
// vector_rows_avx512.cpp only; internal linkage, as cpu_pack_avx512.h.
#pragma once

#include <immintrin.h>

#include "trainer/ops/cpu_attention_avx512.h"

namespace argosy::ops::detail {
namespace {

constexpr int64_t kStep = 32;

struct Pair {
  __m512 low, high;
};

// All 32 elements, or the first few of them.
struct Whole {};
struct Part {
  __mmask32 mask;
};
inline __mmask16 low_mask(Part p) {
  return static_cast<__mmask16>(p.mask);
}
inline __mmask16 high_mask(Part p) {
  return static_cast<__mmask16>(p.mask >> 16);
}

inline Pair widened(__m512i values) {
  return {_mm512_castsi512_ps(widen(_mm512_castsi512_si256(values))),
          _mm512_castsi512_ps(widen(_mm512_extracti64x4_epi64(values, 1)))};
}
inline Pair load(const bfloat16* at, Whole) {
  return widened(_mm512_loadu_si512(at));
}
inline Pair load(const bfloat16* at, Part p) {
  return widened(_mm512_maskz_loadu_epi16(p.mask, at));
}
inline Pair load(const float* at, Whole) {
  return {_mm512_loadu_ps(at), _mm512_loadu_ps(at + 16)};
}
inline Pair load(const float* at, Part p) {
  return {_mm512_maskz_loadu_ps(low_mask(p), at), _mm512_maskz_loadu_ps(high_mask(p), at + 16)};
}
inline __m512i narrowed(Pair v) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(v.high, v.low));
}
inline void store(bfloat16* at, Pair v, Whole) {
  _mm512_storeu_si512(at, narrowed(v));
}
inline void store(bfloat16* at, Pair v, Part p) {
  _mm512_mask_storeu_epi16(at, p.mask, narrowed(v));
}
inline void store(float* at, Pair v, Whole) {
  _mm512_storeu_ps(at, v.low);
  _mm512_storeu_ps(at + 16, v.high);
}
inline void store(float* at, Pair v, Part p) {
  _mm512_mask_storeu_ps(at, low_mask(p), v.low);
  _mm512_mask_storeu_ps(at + 16, high_mask(p), v.high);
}

// body(i, Whole or Part) for each 32 elements; those beyond the end read as zero.
template <typename Body>
[[gnu::always_inline]] inline void for_steps(int64_t size, const Body& body) {
  int64_t i = 0;
  for (; i + kStep <= size; i += kStep) body(i, Whole{});
  if (i < size) body(i, Part{low_bits(size - i)});
}

// f of each half of one to four pairs.
template <typename F, typename... P>
[[gnu::always_inline]] inline Pair both(const F& f, const P&... pairs) {
  return {f(pairs.low...), f(pairs.high...)};
}

inline __m512 all(float value) {
  return _mm512_set1_ps(value);
}
inline float total(Pair v) {
  return _mm512_reduce_add_ps(_mm512_add_ps(v.low, v.high));
}

// 2^t for results that are rounded to bf16: Chebyshev's interpolation of degree 4, relative error
// below 4e-6. The bounds let a NaN pass, and 2^126 has a reciprocal.
inline __m512 power_of_two(__m512 t) {
  t = _mm512_max_ps(all(-126.0f), _mm512_min_ps(all(126.0f), t));
  const __m512 n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 r = _mm512_sub_ps(t, n);
  __m512 p = all(9.66636852e-3f);
  for (const float term : {5.59219758e-2f, 2.40223490e-1f, 6.93121045e-1f, 1.0f})
    p = _mm512_fmadd_ps(p, r, all(term));
  return _mm512_scalef_ps(p, n);
}

constexpr float kLog2E = 1.44269504088896341f;

// s = 1 / (1 + 2^t) and 1 - s, to 2^-14.
struct Sigmoid {
  __m512 s, rest;
};
inline Sigmoid sigmoid_of_power(__m512 t) {
  const __m512 power = power_of_two(t);
  const __m512 s = _mm512_rcp14_ps(_mm512_add_ps(all(1.0f), power));
  return {s, _mm512_mul_ps(power, s)};
}

}  // namespace
}  // namespace argosy::ops::detail
