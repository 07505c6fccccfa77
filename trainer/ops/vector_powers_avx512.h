// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Powers of two of fp32's precision, and what rounds to whole numbers. Included by
// vector_rows_avx512.cpp only; internal linkage, as cpu_words_avx512.h.
#pragma once

#include <immintrin.h>

namespace argosy::ops::detail {
namespace {

constexpr float kLog2E = 1.44269504088896341f;
constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: its last bit counts ones

// scale 2^r, |r| <= 1/2: the polynomial of degree 5 with the least relative error (Remez'
// exchange), 7.5e-8, about what its own roundings are.
inline __m512 fine_polynomial(__m512 r, float scale = 1.0f) {
  __m512 p = _mm512_set1_ps(scale * 1.32764720e-3f);
  for (const float term : {9.67554133e-3f, 5.55071327e-2f, 2.40221197e-1f, 6.93146967e-1f, 1.0f})
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(scale * term));
  return p;
}

}  // namespace
}  // namespace argosy::ops::detail
