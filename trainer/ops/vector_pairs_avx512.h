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

// Asks for memory that the next row will read, in a loop over one that is in the cache: without it
// arithmetic and memory take turns. Any address will do.
inline void prefetch(const void* at) {
  _mm_prefetch(static_cast<const char*>(at), _MM_HINT_T0);
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
// a b + c
inline Pair fused(const Pair& a, const Pair& b, const Pair& c) {
  return {_mm512_fmadd_ps(a.low, b.low, c.low), _mm512_fmadd_ps(a.high, b.high, c.high)};
}

}  // namespace
}  // namespace argosy::ops::detail
