// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// NF4 by permutations: the 16 levels times a block's scale are a table in one register, of which
// one instruction picks 32 numbers of bf16 or 16 of fp32. Included by vector_rows_avx512.cpp alone.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "planner/spec/bfloat16.h"
#include "trainer/ops/nf4_numbers.h"

namespace argosy::ops::detail {

inline __m512 nf4_table(uint8_t scale, float tile_scale) {
  alignas(64) float levels[kNf4Levels];
  for (int i = 0; i < kNf4Levels; ++i) levels[i] = nf4_level(i);
  return _mm512_mul_ps(_mm512_load_ps(levels), _mm512_set1_ps(nf4_scale(scale, tile_scale)));
}

// 16 fp32, rounded as bfloat16 rounds them, twice: an index of five bits may have anything in its
// highest.
inline __m512i twice_in_bf16(__m512 x) {
  const __m512i word = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(word, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_srli_epi32(
      _mm512_add_epi32(word, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
  const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(word, 16), _mm512_set1_epi32(0x40));
  const __mmask16 is_nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  const __m256i half = _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, is_nan, quiet));
  return _mm512_inserti64x4(_mm512_castsi256_si512(half), half, 1);
}

// A byte b is the 32 bits b | b << 12: two indices of 16 bits, of which five count.
inline void nf4(const uint8_t* codes, const uint8_t* scales, float tile_scale, int64_t num_blocks,
                bfloat16* to) {
  for (int64_t block = 0; block < num_blocks; ++block) {
    const __m512i table = twice_in_bf16(nf4_table(scales[block], tile_scale));
    for (int64_t i = 0; i < kNf4Block; i += 32, codes += 16, to += 32) {
      const __m512i bytes =
          _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
      const __m512i indices = _mm512_or_si512(bytes, _mm512_slli_epi32(bytes, 12));
      _mm512_storeu_si512(to, _mm512_permutexvar_epi16(indices, table));
    }
  }
}

// The same in 64 bits: two indices of 32, of which four count.
inline void nf4_floats(const uint8_t* codes, const uint8_t* scales, float tile_scale,
                       int64_t num_blocks, float* to) {
  for (int64_t block = 0; block < num_blocks; ++block) {
    const __m512 table = nf4_table(scales[block], tile_scale);
    for (int64_t i = 0; i < kNf4Block; i += 16, codes += 8, to += 16) {
      const __m512i bytes =
          _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
      const __m512i indices = _mm512_or_si512(bytes, _mm512_slli_epi64(bytes, 28));
      _mm512_storeu_ps(to, _mm512_permutexvar_ps(indices, table));
    }
  }
}

}  // namespace argosy::ops::detail
