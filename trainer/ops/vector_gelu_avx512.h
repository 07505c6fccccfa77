// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// GELU of bf16 and its gradient, of VectorRows. gelu(x) = x s(x), s(x) = sigmoid(2u) (gelu.h). s
// and gelu' are functions of one number with f(a) = 1 - f(-a), so that f(-a), a >= 0, says all:
// parabolas on 32 pieces, whose coefficients are picked out of two registers by one instruction
// each. That takes half the multiplications of an exponential and a reciprocal, for which a Zen 4
// waits longer than for memory; with a fourth term it waits again. gelu is off by at most 1e-5,
// and up to |x| = 4 by 3e-3 of itself, while x is rounded to 4e-3; gelu' is off by at most 5e-5.
// Included by vector_rows_avx512.cpp only; internal linkage, as cpu_words_avx512.h.
#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstdint>

#include "trainer/ops/gelu.h"
#include "trainer/ops/vector_activations_avx512.h"

namespace argosy::ops::detail {
namespace {

constexpr size_t kPieces = 32, kTerms = 3;
constexpr double kPieceWidth = 0.18;

// Of piece n, the numbers next to n kPieceWidth: coefficients of a^0 to a^2. Zeros in the last,
// where f(-a) is within 6e-8 of 0, and beyond which all a count as its own.
struct Pieces {
  alignas(64) float terms[kTerms][kPieces] = {};
};

inline double gelu_sigmoid_at(double x) {
  return 1 / (1 + std::exp(-kGeluLinear * (x + kGeluCubic * x * x * x)));
}
inline double gelu_slope_at(double x) {
  const double s = gelu_sigmoid_at(x);
  return s + x * s * (1 - s) * kGeluLinear * (1 + 3 * kGeluCubic * x * x);
}

// Each parabola meets f(-a) at the zeros of Chebyshev's polynomial on its piece: Newton's form,
// then its powers of a.
inline Pieces pieces_of(double (*f)(double)) {
  Pieces pieces;
  for (size_t n = 0; n + 1 < kPieces; ++n) {
    double at[kTerms], values[kTerms], powers[kTerms] = {};
    for (size_t i = 0; i < kTerms; ++i) {
      const double angle = (static_cast<double>(i) + 0.5) * std::acos(-1.0) / kTerms;
      at[i] = (static_cast<double>(n) + std::cos(angle) / 2) * kPieceWidth;
      values[i] = f(-at[i]);
    }
    for (size_t order = 1; order < kTerms; ++order) {
      for (size_t i = kTerms - 1; i >= order; --i)
        values[i] = (values[i] - values[i - 1]) / (at[i] - at[i - order]);
    }
    for (size_t i = kTerms; i-- > 0;) {  // powers = powers (a - at[i]) + values[i]
      for (size_t power = kTerms - 1; power > 0; --power)
        powers[power] = powers[power - 1] - at[i] * powers[power];
      powers[0] = values[i] - at[i] * powers[0];
    }
    for (size_t power = 0; power < kTerms; ++power)
      pieces.terms[power][n] = static_cast<float>(powers[power]);
  }
  return pieces;
}

// f of four vectors.
class PiecewiseFunction {
 public:
  explicit PiecewiseFunction(const Pieces& pieces) {
    for (size_t power = 0; power < kTerms; ++power) {
      terms_[power] = {_mm512_load_ps(pieces.terms[power]),
                       _mm512_load_ps(pieces.terms[power] + 16)};
    }
  }
  [[gnu::always_inline]] Quad operator()(const Quad& x) const {
    constexpr auto kEnd = static_cast<float>(kPieceWidth * (kPieces - 1));
    constexpr auto kPerUnit = static_cast<float>(1 / kPieceWidth);
    // The second operand where one is a NaN.
    const Quad a = each([=](__m512 v) { return _mm512_min_ps(all(kEnd), _mm512_abs_ps(v)); }, x);
    const Quad n =
        each([=](__m512 v) { return _mm512_fmadd_ps(v, all(kPerUnit), all(kRound)); }, a);
    Quad p = picked(kTerms - 1, n);
    for (size_t power = kTerms - 1; power-- > 0;) p = fused(p, a, picked(power, n));
    return each(
        [](__m512 v, __m512 below) {
          const __mmask16 positive = _mm512_testn_epi32_mask(
              _mm512_castps_si512(v), _mm512_set1_epi32(static_cast<int>(0x80000000u)));
          return _mm512_mask_sub_ps(below, positive, all(1.0f), below);
        },
        x, p);
  }

 private:
  // The coefficients of each number's piece, whose index is in the low bits of n.
  [[gnu::always_inline]] Quad picked(size_t power, const Quad& n) const {
    const Pair& term = terms_[power];
    return each(
        [=](__m512 v) {
          return _mm512_permutex2var_ps(term.low, _mm512_castps_si512(v), term.high);
        },
        n);
  }

  Pair terms_[kTerms];  // of pieces 0 to 15, and of those behind
};

void gelu(const bfloat16* x, bfloat16* y, int64_t size) {
  static const Pieces kPiecesOfSigmoid = pieces_of(gelu_sigmoid_at);
  const PiecewiseFunction sigmoid(kPiecesOfSigmoid);
  for_quads(size, [&](int64_t i, auto part) [[gnu::always_inline]] {
    const Quad v = load_quad(x + i, part);
    store_quad(y + i, times(v, sigmoid(v)), part);
  });
}

void gelu_backward(const bfloat16* dy, const bfloat16* x, bfloat16* dx, int64_t size) {
  static const Pieces kPiecesOfSlope = pieces_of(gelu_slope_at);
  const PiecewiseFunction slope(kPiecesOfSlope);
  for_quads(size, [&](int64_t i, auto part) [[gnu::always_inline]] {
    store_quad(dx + i, times(load_quad(dy + i, part), slope(load_quad(x + i, part))), part);
  });
}

}  // namespace
}  // namespace argosy::ops::detail
