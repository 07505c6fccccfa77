// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// GELU, SwiGLU and its clamped form of VectorRows. Included by vector_rows_avx512.cpp only;
// internal linkage, as cpu_words_avx512.h.
#pragma once

#include <immintrin.h>

#include <type_traits>

#include "trainer/ops/gelu.h"
#include "trainer/ops/vector_pairs_avx512.h"
#include "trainer/ops/vector_powers_avx512.h"

namespace argosy::ops::detail {
namespace {

// Four vectors that go through a formula step by step: one alone would wait for each of its steps,
// and the CPU does not look far enough ahead to fill the time with the next.
struct Quad {
  Pair first, second;
};
struct QuadPart {
  Part first, second;
};
inline Quad load_quad(const bfloat16* at, Whole) {
  return {load_mixed(at, Whole{}), load_mixed(at + kStep, Whole{})};
}
inline Quad load_quad(const bfloat16* at, QuadPart p) {
  return {load_mixed(at, p.first), load_mixed(at + kStep, p.second)};
}
inline Quad load_quad(const float* at, Whole) {
  return {load(at, Whole{}), load(at + kStep, Whole{})};
}
inline Quad load_quad(const float* at, QuadPart p) {
  return {load(at, p.first), load(at + kStep, p.second)};
}
inline void store_quad(float* at, const Quad& q, Whole) {
  store(at, q.first, Whole{});
  store(at + kStep, q.second, Whole{});
}
inline void store_quad(float* at, const Quad& q, QuadPart p) {
  store(at, q.first, p.first);
  store(at + kStep, q.second, p.second);
}
inline void store_quad(bfloat16* at, const Quad& q, Whole) {
  store_mixed(at, q.first, Whole{});
  store_mixed(at + kStep, q.second, Whole{});
}
inline void store_quad(bfloat16* at, const Quad& q, QuadPart p) {
  store_mixed(at, q.first, p.first);
  store_mixed(at + kStep, q.second, p.second);
}

// One step: f of each vector.
template <typename F, typename... Q>
[[gnu::always_inline]] inline Quad each(const F& f, const Q&... quads) {
  return {both(f, quads.first...), both(f, quads.second...)};
}
[[gnu::always_inline]] inline Quad times(const Quad& a, const Quad& b) {
  return each([](__m512 x, __m512 y) { return _mm512_mul_ps(x, y); }, a, b);
}
[[gnu::always_inline]] inline Quad times(float a, const Quad& b) {
  return each([=](__m512 x) { return _mm512_mul_ps(all(a), x); }, b);
}
// a b + c
[[gnu::always_inline]] inline Quad fused(const Quad& a, const Quad& b, const Quad& c) {
  return each([](__m512 x, __m512 y, __m512 z) { return _mm512_fmadd_ps(x, y, z); }, a, b, c);
}
[[gnu::always_inline]] inline Quad fused(float a, const Quad& b, float c) {
  return each([=](__m512 x) { return _mm512_fmadd_ps(all(a), x, all(c)); }, b);
}

// body(i, Whole or QuadPart) for each 64 elements; those beyond the end read as zero.
template <typename Body>
[[gnu::always_inline]] inline void for_quads(int64_t size, const Body& body) {
  int64_t i = 0;
  for (; i + 2 * kStep <= size; i += 2 * kStep) body(i, Whole{});
  if (i < size) body(i, QuadPart{{low_bits(size - i)}, {low_bits(size - i - kStep)}});
}

// 2^t for results that are rounded to bf16: the polynomial of degree 3 with the least relative
// error on [0, 1), 7.5e-5 (Remez' exchange), for the fraction of t, and its floor for the exponent.
// Both instructions take any number: beyond fp32 the result is 0 or infinity, and a NaN passes.
[[gnu::always_inline]] inline Quad power_of_two(const Quad& t) {
  const Quad r = each(
      [](__m512 x) { return _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }, t);
  Quad p = fused(7.80245227e-2f, r, 2.26067155e-1f);
  for (const float term : {6.95833541e-1f, 9.99925219e-1f}) {
    p = each([=](__m512 x, __m512 y) { return _mm512_fmadd_ps(x, y, all(term)); }, p, r);
  }
  return each([](__m512 x, __m512 y) { return _mm512_scalef_ps(x, y); }, p, t);
}

// 2^t: for what is left of t beside the nearest whole number, and that for the exponent.
[[gnu::always_inline]] inline __m512 fine_power_of_two(__m512 t) {
  const __m512 r = _mm512_reduce_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return _mm512_scalef_ps(fine_polynomial(r), _mm512_sub_ps(t, r));
}

// 1 / (1 + 2^t) for results of type T. rcp14 is right to 2^-14, which is enough for bf16; a step of
// Newton's squares that, of sums that are finite.
template <typename T>
[[gnu::always_inline]] inline Quad sigmoid_of_power(const Quad& t) {
  const auto one_and = [](__m512 x) { return _mm512_add_ps(all(1.0f), x); };
  const auto inverse = [](__m512 x) { return _mm512_rcp14_ps(x); };
  if constexpr (std::is_same_v<T, bfloat16>) {
    return each(inverse, each(one_and, power_of_two(t)));
  } else {
    // The second operand where one is a NaN.
    const Quad bounded = each([](__m512 x) { return _mm512_min_ps(all(126.0f), x); }, t);
    const Quad power = each([](__m512 x) { return fine_power_of_two(x); }, bounded);
    const Quad sum = each(one_and, power), first = each(inverse, sum);
    const Quad error =
        each([](__m512 x, __m512 y) { return _mm512_fnmadd_ps(x, y, all(1.0f)); }, sum, first);
    return fused(first, error, first);
  }
}
// x - x^2
[[gnu::always_inline]] inline Quad less_square(const Quad& x) {
  return each([](__m512 v) { return _mm512_fnmadd_ps(v, v, v); }, x);
}

[[gnu::always_inline]] inline Quad sigmoid(const Quad& x) {
  return sigmoid_of_power<bfloat16>(times(-kLog2E, x));
}

// gelu(x) = x sigmoid(2u), 2u = x (kLinear + kCube x^2).
constexpr float kLinear = static_cast<float>(kGeluLinear);
constexpr float kCube = kLinear * static_cast<float>(kGeluCubic);
[[gnu::always_inline]] inline Quad gelu_sigmoid(const Quad& x, const Quad& square) {
  return sigmoid_of_power<float>(times(x, fused(-kLog2E * kCube, square, -kLog2E * kLinear)));
}

// In bf16: vector_gelu_avx512.h.
void gelu(const float* x, float* y, int64_t size) {
  for_quads(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    const Quad v = load_quad(x + i, part);
    store_quad(y + i, times(v, gelu_sigmoid(v, times(v, v))), part);
  });
}

void gelu_backward(const float* dy, const float* x, float* dx, int64_t size) {
  for_quads(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    const Quad v = load_quad(x + i, part), square = times(v, v);
    const Quad s = gelu_sigmoid(v, square);
    const Quad slope = times(v, fused(3 * kCube, square, kLinear));
    const Quad bent = fused(less_square(s), slope, s);
    store_quad(dx + i, times(load_quad(dy + i, part), bent), part);
  });
}

void swiglu(const bfloat16* gate, const bfloat16* up, bfloat16* y, int64_t size) {
  for_quads(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    const Quad x = load_quad(gate + i, part);
    store_quad(y + i, times(times(x, sigmoid(x)), load_quad(up + i, part)), part);
  });
}

void swiglu_backward(const bfloat16* dy, const bfloat16* gate, const bfloat16* up, bfloat16* dgate,
                     bfloat16* dup, int64_t size) {
  for_quads(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    const Quad x = load_quad(gate + i, part);
    const Quad s = sigmoid(x);
    const Quad d = load_quad(dy + i, part), u = load_quad(up + i, part);
    store_quad(dgate + i, times(times(d, u), fused(less_square(s), x, s)), part);
    store_quad(dup + i, times(times(d, x), s), part);
  });
}

// min(x, limit), and x within +-limit. The second operand of the instructions passes where one is a
// NaN.
[[gnu::always_inline]] inline Quad at_most(float limit, const Quad& x) {
  return each([=](__m512 v) { return _mm512_min_ps(all(limit), v); }, x);
}
[[gnu::always_inline]] inline Quad within(float limit, const Quad& x) {
  return each([=](__m512 v) { return _mm512_max_ps(all(-limit), v); }, at_most(limit, x));
}
// x, but 0 where `at` is greater than the limit.
[[gnu::always_inline]] inline Quad unless_beyond(float limit, const Quad& at, const Quad& x) {
  return each(
      [=](__m512 a, __m512 v) {
        return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, all(limit), _CMP_NGT_UQ), v);
      },
      at, x);
}
[[gnu::always_inline]] inline Quad and_one(const Quad& x) {
  return each([](__m512 v) { return _mm512_add_ps(v, all(1.0f)); }, x);
}

void clamped_swiglu(const bfloat16* gate, const bfloat16* up, float limit, float alpha, bfloat16* y,
                    int64_t size) {
  for_quads(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    const Quad x = at_most(limit, load_quad(gate + i, part));
    const Quad s = sigmoid_of_power<bfloat16>(times(-kLog2E * alpha, x));
    const Quad u = and_one(within(limit, load_quad(up + i, part)));
    store_quad(y + i, times(times(x, s), u), part);
  });
}

void clamped_swiglu_backward(const bfloat16* dy, const bfloat16* gate, const bfloat16* up,
                             float limit, float alpha, bfloat16* dgate, bfloat16* dup,
                             int64_t size) {
  for_quads(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    const Quad g = load_quad(gate + i, part), x = at_most(limit, g);
    const Quad s = sigmoid_of_power<bfloat16>(times(-kLog2E * alpha, x));
    const Quad d = load_quad(dy + i, part), u = load_quad(up + i, part);
    const Quad slope = fused(less_square(s), times(alpha, x), s);
    const Quad of_gate = times(times(d, and_one(within(limit, u))), slope);
    const Quad distance = each([](__m512 v) { return _mm512_abs_ps(v); }, u);
    store_quad(dgate + i, unless_beyond(limit, g, of_gate), part);
    store_quad(dup + i, unless_beyond(limit, distance, times(times(d, x), s)), part);
  });
}

}  // namespace
}  // namespace argosy::ops::detail
