// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// 32 elements at a time: a cache line of bf16, two vectors of fp32. Included by
// vector_rows_avx512.cpp only; internal linkage, as cpu_words_avx512.h.
#pragma once

#include <immintrin.h>

#include <type_traits>

#include "trainer/ops/cpu_words_avx512.h"

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

// Elements of even and of odd places as the two vectors of a pair, for loops that meet nothing but
// bf16: widening is one instruction a vector, not two and a half.
inline Pair mixed(__m512i values) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(values, 16)),
          _mm512_castsi512_ps(_mm512_and_si512(values, upper))};
}
inline __m512i in_order(Pair v) {
  // Word i of the result is word i / 2 of the first vector or, if i is odd, of the second.
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i order =
      _mm512_or_si512(lane, _mm512_slli_epi32(_mm512_add_epi32(lane, _mm512_set1_epi32(16)), 16));
  return _mm512_permutexvar_epi16(order, narrowed(v));
}
// The first so many elements, of which the first is even.
inline __mmask16 even_mask(Part p) {
  return static_cast<__mmask16>(low_bits((_mm_popcnt_u32(p.mask) + 1) / 2));
}
inline __mmask16 odd_mask(Part p) {
  return static_cast<__mmask16>(low_bits(_mm_popcnt_u32(p.mask) / 2));
}
// Back in the order of load().
inline Pair unmixed(const Pair& v) {
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
  return {_mm512_permutex2var_ps(v.low, low, v.high), _mm512_permutex2var_ps(v.low, high, v.high)};
}
inline Pair in_mixed_order(const Pair& v) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  return {_mm512_permutex2var_ps(v.low, even, v.high), _mm512_permutex2var_ps(v.low, odd, v.high)};
}
inline Pair load_mixed(const bfloat16* at, Whole) {
  return mixed(_mm512_loadu_si512(at));
}
inline Pair load_mixed(const bfloat16* at, Part p) {
  return mixed(_mm512_maskz_loadu_epi16(p.mask, at));
}
inline void store_mixed(bfloat16* at, Pair v, Whole) {
  _mm512_storeu_si512(at, in_order(v));
}
inline void store_mixed(bfloat16* at, Pair v, Part p) {
  _mm512_mask_storeu_epi16(at, p.mask, in_order(v));
}

// fp32 has one order.
[[gnu::always_inline]] inline Pair load_mixed(const float* at, auto part) {
  return load(at, part);
}
[[gnu::always_inline]] inline void store_mixed(float* at, const Pair& v, auto part) {
  store(at, v, part);
}

// v, of elements of T as load_mixed() gives them, but zero beyond the end.
template <typename T>
[[gnu::always_inline]] inline Pair existing(const Pair& v, Whole) {
  return v;
}
template <typename T>
[[gnu::always_inline]] inline Pair existing(const Pair& v, Part p) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    return {_mm512_maskz_mov_ps(even_mask(p), v.low), _mm512_maskz_mov_ps(odd_mask(p), v.high)};
  } else {
    return {_mm512_maskz_mov_ps(low_mask(p), v.low), _mm512_maskz_mov_ps(high_mask(p), v.high)};
  }
}

// body(i, Whole or Part) for each 32 elements; those beyond the end read as zero.
template <typename Body>
[[gnu::always_inline]] inline void for_steps(int64_t size, const Body& body) {
  int64_t i = 0;
  for (; i + kStep <= size; i += kStep) body(i, Whole{});
  if (i < size) body(i, Part{low_bits(size - i)});
}

// The same with two chains of sums, body(i, Whole or Part, chain): one chain alone would wait for
// its additions.
template <typename Body>
[[gnu::always_inline]] inline void for_chains(int64_t size, const Body& body) {
  int64_t i = 0;
  for (; i + 2 * kStep <= size; i += 2 * kStep) {
    body(i, Whole{}, 0);
    body(i + kStep, Whole{}, 1);
  }
  if (i + kStep <= size) {
    body(i, Whole{}, 0);
    i += kStep;
  }
  if (i < size) body(i, Part{low_bits(size - i)}, 1);
}

// f of each half of one to four pairs.
template <typename F, typename... P>
[[gnu::always_inline]] inline Pair both(const F& f, const P&... pairs) {
  return {f(pairs.low...), f(pairs.high...)};
}

// Asks for memory that is read in order, which the CPU brings into its level-2 cache by itself, in
// a loop whose arithmetic keeps it from looking far ahead. Any address will do.
inline void prefetch(const void* at) {
  _mm_prefetch(static_cast<const char*>(at), _MM_HINT_T0);
}
// The same of several rows at once, as prefetch_row(): into the level-2 cache.
inline void prefetch_rows(const void* at) {
  _mm_prefetch(static_cast<const char*>(at), _MM_HINT_T1);
}

inline __m512 all(float value) {
  return _mm512_set1_ps(value);
}
// Sums in two chains, from zero.
struct Sums {
  Pair chains[2] = {{_mm512_setzero_ps(), _mm512_setzero_ps()},
                    {_mm512_setzero_ps(), _mm512_setzero_ps()}};
  float total() const {
    const __m512 low = _mm512_add_ps(chains[0].low, chains[1].low);
    return _mm512_reduce_add_ps(_mm512_add_ps(low, _mm512_add_ps(chains[0].high, chains[1].high)));
  }
};
inline Pair plus(const Pair& a, const Pair& b) {
  return {_mm512_add_ps(a.low, b.low), _mm512_add_ps(a.high, b.high)};
}
inline Pair times(const Pair& a, const Pair& b) {
  return {_mm512_mul_ps(a.low, b.low), _mm512_mul_ps(a.high, b.high)};
}
// a b + c
inline Pair fused(const Pair& a, const Pair& b, const Pair& c) {
  return {_mm512_fmadd_ps(a.low, b.low, c.low), _mm512_fmadd_ps(a.high, b.high, c.high)};
}

}  // namespace
}  // namespace argosy::ops::detail
