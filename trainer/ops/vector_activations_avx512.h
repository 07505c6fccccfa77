// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// GELU and SwiGLU of VectorRows. Included by vector_rows_avx512.cpp only; internal linkage, as
// cpu_pack_avx512.h.
#pragma once

#include <immintrin.h>

#include "trainer/ops/vector_pairs_avx512.h"

namespace argosy::ops::detail {
namespace {

// gelu(x) = x sigmoid(2u), 2u = x (kLinear + kCube x^2); see activation_cpu.cpp.
constexpr float kLinear = 1.5957691216057308f, kCube = kLinear * 0.044715f;

inline Sigmoid gelu_sigmoid(__m512 x, __m512 square) {
  const __m512 t = _mm512_fmadd_ps(all(-kLog2E * kCube), square, all(-kLog2E * kLinear));
  return sigmoid_of_power(_mm512_mul_ps(x, t));
}

void gelu(const bfloat16* x, bfloat16* y, int64_t size) {
  for_steps(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    const auto f = [](__m512 v) {
      return _mm512_mul_ps(v, gelu_sigmoid(v, _mm512_mul_ps(v, v)).s);
    };
    store(y + i, both(f, load(x + i, part)), part);
  });
}

void gelu_backward(const bfloat16* dy, const bfloat16* x, bfloat16* dx, int64_t size) {
  for_steps(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    const auto f = [](__m512 d, __m512 v) {
      const __m512 square = _mm512_mul_ps(v, v);
      const Sigmoid g = gelu_sigmoid(v, square);
      const __m512 slope = _mm512_fmadd_ps(all(3 * kCube), square, all(kLinear));
      const __m512 bent = _mm512_mul_ps(_mm512_mul_ps(v, g.rest), slope);
      return _mm512_mul_ps(d, _mm512_fmadd_ps(bent, g.s, g.s));
    };
    store(dx + i, both(f, load(dy + i, part), load(x + i, part)), part);
  });
}

inline Sigmoid sigmoid(__m512 x) {
  return sigmoid_of_power(_mm512_mul_ps(all(-kLog2E), x));
}

void swiglu(const bfloat16* gate, const bfloat16* up, bfloat16* y, int64_t size) {
  for_steps(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    const auto f = [](__m512 x, __m512 u) {
      return _mm512_mul_ps(_mm512_mul_ps(x, sigmoid(x).s), u);
    };
    store(y + i, both(f, load(gate + i, part), load(up + i, part)), part);
  });
}

void swiglu_backward(const bfloat16* dy, const bfloat16* gate, const bfloat16* up, bfloat16* dgate,
                     bfloat16* dup, int64_t size) {
  for_steps(size, [=](int64_t i, auto part) [[gnu::always_inline]] {
    const Pair d = load(dy + i, part), g = load(gate + i, part), u = load(up + i, part);
    const Sigmoid low = sigmoid(g.low), high = sigmoid(g.high);
    const auto of_up = [](__m512 grad, __m512 x, __m512 s) {
      return _mm512_mul_ps(_mm512_mul_ps(grad, x), s);
    };
    const auto of_gate = [](__m512 grad, __m512 x, __m512 linear, const Sigmoid& s) {
      const __m512 bent = _mm512_fmadd_ps(_mm512_mul_ps(x, s.rest), s.s, s.s);
      return _mm512_mul_ps(_mm512_mul_ps(grad, linear), bent);
    };
    store(dgate + i, Pair{of_gate(d.low, g.low, u.low, low), of_gate(d.high, g.high, u.high, high)},
          part);
    store(dup + i, Pair{of_up(d.low, g.low, low.s), of_up(d.high, g.high, high.s)}, part);
  });
}

}  // namespace
}  // namespace argosy::ops::detail
