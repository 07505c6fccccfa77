// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Writes the sums of the kernels to their results. Included by cpu_kernels_*.cpp only; internal
// linkage, as cpu_words_avx512.h.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>

#include "trainer/ops/cpu_kernels.h"
#include "trainer/ops/cpu_words_avx512.h"

namespace argosy::ops::detail {
namespace {

// Words whose upper halves are the bfloat16 of `values`, as bfloat16(float): to nearest even, NaN
// stays a NaN. Not VCVTNEPS2BF16, which flushes denormals and is not in every AVX-512.
inline __m512i rounded_words(__m512 values) {
  const __m512i words = _mm512_castps_si512(values);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(words, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(words, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
  return _mm512_mask_or_epi32(rounded, nan, words, _mm512_set1_epi32(0x400000));
}
inline __m256i narrow(__m512 values) {
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded_words(values), 16));
}
// Both as 32 consecutive elements.
inline __m512i narrow(__m512 first, __m512 second) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i pairs = _mm512_slli_epi32(lane, 2);  // 2 * (2 lane) and 2 * (2 lane + 1), plus 1
  const __m512i order = _mm512_add_epi32(
      pairs, _mm512_add_epi32(_mm512_slli_epi32(pairs, 16), _mm512_set1_epi32(3 << 16 | 1)));
  return _mm512_permutex2var_epi16(rounded_words(first), order, rounded_words(second));
}

template <DType kDtype>
void write_row_as(const float* sums, int64_t columns, const Epilogue& epilogue, void* to) {
  auto* words = static_cast<float*>(to);
  auto* halves = static_cast<uint16_t*>(to);
  const __m512 alpha = _mm512_set1_ps(epilogue.alpha);
  for (int64_t j = 0; j < columns; j += 16) {
    const auto mask = static_cast<__mmask16>(low_bits(columns - j));
    __m512 value = _mm512_mul_ps(alpha, _mm512_maskz_loadu_ps(mask, sums + j));
    if (epilogue.bias != nullptr)
      value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, epilogue.bias + j));
    if constexpr (kDtype == DType::bf16) {
      if (epilogue.add_old) {
        const __m512i old = widen(_mm256_maskz_loadu_epi16(mask, halves + j));
        value = _mm512_add_ps(value, _mm512_castsi512_ps(old));
      }
      _mm256_mask_storeu_epi16(halves + j, mask, narrow(value));
    } else {
      if (epilogue.add_old) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, words + j));
      _mm512_mask_storeu_ps(words + j, mask, value);
    }
  }
}

// Rows of whole panels to bf16, by far the most frequent.
inline void write_whole_tile(const float* sums, int64_t rows, const Epilogue& epilogue, void* to,
                             int64_t stride) {
  const __m512 alpha = _mm512_set1_ps(epilogue.alpha);
  __m512 bias[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  if (epilogue.bias != nullptr) {
    bias[0] = _mm512_loadu_ps(epilogue.bias);
    bias[1] = _mm512_loadu_ps(epilogue.bias + 16);
  }
  auto* row = static_cast<uint16_t*>(to);
  for (int64_t r = 0; r < rows; ++r, row += stride, sums += kPanelColumns) {
    __m512 low = _mm512_fmadd_ps(alpha, _mm512_loadu_ps(sums), bias[0]);
    __m512 high = _mm512_fmadd_ps(alpha, _mm512_loadu_ps(sums + 16), bias[1]);
    if (epilogue.add_old) {
      const __m512i old = _mm512_loadu_si512(row);
      low = _mm512_add_ps(low, _mm512_castsi512_ps(widen(_mm512_castsi512_si256(old))));
      high = _mm512_add_ps(high, _mm512_castsi512_ps(widen(_mm512_extracti64x4_epi64(old, 1))));
    }
    _mm512_storeu_si512(row, narrow(low, high));
  }
}

inline void write_tile(const float* sums, int64_t rows, int64_t columns, const Epilogue& epilogue,
                       void* to, int64_t stride) {
  if (epilogue.dtype == DType::bf16 && columns == kPanelColumns)
    return write_whole_tile(sums, rows, epilogue, to, stride);
  const auto write =
      epilogue.dtype == DType::bf16 ? write_row_as<DType::bf16> : write_row_as<DType::fp32>;
  for (int64_t r = 0; r < rows; ++r) {
    write(sums + r * kPanelColumns, columns, epilogue,
          static_cast<char*>(to) + r * stride * size_in_bytes(epilogue.dtype));
  }
}

}  // namespace
}  // namespace argosy::ops::detail
