// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What attention does to a tile of scores between its products, written in the packed form that the
// next product reads. Included by cpu_kernels_*.cpp only; internal linkage, as cpu_words_avx512.h.
#pragma once

#include <immintrin.h>

#include <limits>

#include "trainer/ops/cpu_kernels.h"
#include "trainer/ops/cpu_words_avx512.h"

namespace argosy::ops::detail {
namespace {

constexpr int64_t kKeyVectors = kScoreKeys / 16;

// e^x: x = n ln 2 + r with |r| <= ln(2)/2, Taylor's polynomial of degree 7 (simd_math.h), 2^n by
// VSCALEF. 0 for x <= -104, whose exponential is below the smallest denormal; NaN gives NaN.
inline __m512 exponential(__m512 x) {
  x = _mm512_max_ps(_mm512_set1_ps(-104.0f), x);  // the second operand where one is NaN
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504088896341f)),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.0f / 5040);
  for (const float term : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(term));
  return _mm512_scalef_ps(p, n);
}

// Which of keys [16 v, 16 v + 16) of a row are visible.
inline __mmask16 visible_keys(const ScoreTile& t, int64_t row, int64_t v) {
  if (t.first == nullptr) return 0xffff;
  const uint32_t up_to_last = low_bits(t.last[row] + 1 - 16 * v);
  return static_cast<__mmask16>(up_to_last & ~low_bits(t.first[row] - 16 * v));
}

// Vector v of a row of scores or their like: [panel of 32 keys][row][32].
inline float* scores_at(float* tile, int64_t row, int64_t v) {
  return tile + ((v / 2) * kScoreRows + row) * kPanelColumns + (v % 2) * 16;
}

// A row of 64 values as a row of A whose k runs over the keys. To bf16 by the CPU's own rounding,
// which flushes denormals: they are probabilities.
template <Words kWords>
inline void store_as_row_of_a(const __m512 values[kKeyVectors], int64_t row, int64_t panel_rows,
                              void* panels) {
  constexpr int64_t kChunks = kScoreKeys / (kChunkWords * kElements<kWords>);
  auto* words = static_cast<float*>(panels) +
                (row / panel_rows * kChunks * panel_rows + row % panel_rows) * kChunkWords;
#pragma GCC unroll 4
  for (int64_t chunk = 0; chunk < kChunks; ++chunk, words += panel_rows * kChunkWords) {
    if constexpr (kWords == Words::bf16_pairs) {
      _mm512_store_si512(words, reinterpret_cast<__m512i>(
                                    _mm512_cvtne2ps_pbh(values[2 * chunk + 1], values[2 * chunk])));
    } else {
      _mm512_store_ps(words, values[chunk]);
    }
  }
}

// Rows `row` and `row + 1`, vector v, as a word of B whose k runs over the rows and whose columns
// are keys. fp32 has one row to a word.
template <Words kWords>
inline void store_as_words_of_b(__m512 even, __m512 odd, int64_t row, int64_t v, float* panels) {
  if constexpr (kWords == Words::bf16_pairs) {
    const auto low = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(even));
    const auto high = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(odd));
    float* word = panels + ((v / 2) * (kScoreRows / 2) + row / 2) * kPanelColumns + (v % 2) * 16;
    _mm512_store_si512(word, _mm512_or_si512(_mm512_cvtepu16_epi32(low), widen(high)));
  } else {
    _mm512_store_ps(scores_at(panels, row, v), even);
    _mm512_store_ps(scores_at(panels, row + 1, v), odd);
  }
}

template <Words kWords>
void softmax_tile(const ScoreTile& t, float* maxima, float* sums, float* out, int64_t out_panels,
                  void* probabilities) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const __m512 scale = _mm512_set1_ps(t.scale);
  for (int64_t row = 0; row < t.rows; ++row) {
    __m512 values[kKeyVectors], highest = _mm512_set1_ps(maxima[row]);
#pragma GCC unroll 4
    for (int64_t v = 0; v < kKeyVectors; ++v) {
      const __m512 score = _mm512_mul_ps(scale, _mm512_load_ps(scores_at(t.scores, row, v)));
      values[v] = _mm512_mask_mov_ps(_mm512_set1_ps(-kInfinity), visible_keys(t, row, v), score);
      highest = _mm512_max_ps(highest, values[v]);
    }
    const float maximum = _mm512_reduce_max_ps(highest);
    // No visible key so far (a window): any finite shift gives zeros.
    const __m512 shift = _mm512_set1_ps(maximum == -kInfinity ? 0.0f : maximum);
    __m512 sum = _mm512_setzero_ps();
#pragma GCC unroll 4
    for (int64_t v = 0; v < kKeyVectors; ++v) {
      values[v] = exponential(_mm512_sub_ps(values[v], shift));
      sum = _mm512_add_ps(sum, values[v]);
    }
    store_as_row_of_a<kWords>(values, row, t.panel_rows, probabilities);
    const __m512 factor = exponential(_mm512_sub_ps(_mm512_set1_ps(maxima[row]), shift));
    sums[row] = sums[row] * _mm512_cvtss_f32(factor) + _mm512_reduce_add_ps(sum);
    if (maxima[row] != maximum) {
      for (int64_t v = 0; v < 2 * out_panels; ++v) {
        float* at = scores_at(out, row, v);
        _mm512_store_ps(at, _mm512_mul_ps(factor, _mm512_load_ps(at)));
      }
    }
    maxima[row] = maximum;
  }
}

// One row of probabilities and of gradients of scaled scores.
inline void gradient_row(const ScoreTile& t, float* dprobabilities, const float* lse,
                         const float* deltas, int64_t row, __m512 p[kKeyVectors],
                         __m512 ds[kKeyVectors]) {
  if (row >= t.rows) {
    for (int64_t v = 0; v < kKeyVectors; ++v) p[v] = ds[v] = _mm512_setzero_ps();
    return;
  }
  const __m512 scale = _mm512_set1_ps(t.scale), shift = _mm512_set1_ps(lse[row]);
  const __m512 delta = _mm512_set1_ps(deltas[row]);
#pragma GCC unroll 4
  for (int64_t v = 0; v < kKeyVectors; ++v) {
    const __mmask16 mask = visible_keys(t, row, v);
    const __m512 score = _mm512_load_ps(scores_at(t.scores, row, v));
    p[v] = _mm512_maskz_mov_ps(mask, exponential(_mm512_fmsub_ps(score, scale, shift)));
    const __m512 dp = _mm512_load_ps(scores_at(dprobabilities, row, v));
    ds[v] = _mm512_maskz_mul_ps(mask, p[v], _mm512_sub_ps(dp, delta));
  }
}

template <Words kWords>
void gradient_tile(const ScoreTile& t, float* dprobabilities, const float* lse, const float* deltas,
                   float* p_words, float* ds_words, void* ds_rows) {
  for (int64_t row = 0; row < t.rows; row += 2) {
    __m512 p[2][kKeyVectors], ds[2][kKeyVectors];
    for (int64_t i = 0; i < 2; ++i) {
      gradient_row(t, dprobabilities, lse, deltas, row + i, p[i], ds[i]);
      if (row + i < t.rows) store_as_row_of_a<kWords>(ds[i], row + i, t.panel_rows, ds_rows);
    }
#pragma GCC unroll 4
    for (int64_t v = 0; v < kKeyVectors; ++v) {
      store_as_words_of_b<kWords>(p[0][v], p[1][v], row, v, p_words);
      store_as_words_of_b<kWords>(ds[0][v], ds[1][v], row, v, ds_words);
    }
  }
}

}  // namespace
}  // namespace argosy::ops::detail
