// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Words of operands in blocks of 16 x 16, as they are stored and transposed. Included by
// cpu_kernels_*.cpp only, which are compiled for AVX-512 (F, BW, DQ, VL) whatever the rest of the
// build is for: everything here has internal linkage, so that no other file can be linked against
// these copies.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "trainer/ops/cpu_kernels.h"

namespace argosy::ops::detail {
namespace {

// How words are made: of two bf16, of one fp32, or of one bf16 widened.
enum class Words { bf16_pairs, fp32, widened };

template <Words kWords>
inline constexpr int64_t kElements = kWords == Words::bf16_pairs ? 2 : 1;

inline uint32_t low_bits(int64_t count) {
  return count >= 32 ? ~0u : count <= 0 ? 0u : (1u << count) - 1u;
}

inline __m512i widen(__m256i values) {
  return _mm512_slli_epi32(_mm512_cvtepu16_epi32(values), 16);
}

inline __m256i load_half(const uint16_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

// Selects element low + j and element high + j as the two halves of word j.
inline __m512i pair_order(int low, int high) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i halves = _mm512_add_epi32(lane, _mm512_slli_epi32(lane, 16));
  return _mm512_add_epi32(halves, _mm512_set1_epi32(high << 16 | low));
}

// 16 words of consecutive elements, of which `valid` exist; all, if kWhole.
template <Words kWords, bool kWhole>
inline __m512i consecutive_words(const MatrixView& x, int64_t at, int64_t valid) {
  const uint32_t mask = kWhole ? ~0u : low_bits(valid);
  if constexpr (kWords == Words::fp32) {
    const float* from = static_cast<const float*>(x.data) + at;
    if constexpr (kWhole) return _mm512_loadu_si512(from);
    return _mm512_maskz_loadu_epi32(static_cast<__mmask16>(mask), from);
  } else {
    const uint16_t* from = static_cast<const uint16_t*>(x.data) + at;
    if constexpr (kWords == Words::widened) {
      if constexpr (kWhole) return widen(load_half(from));
      return widen(_mm256_maskz_loadu_epi16(static_cast<__mmask16>(mask), from));
    } else {
      if constexpr (kWhole) return _mm512_loadu_si512(from);
      return _mm512_maskz_loadu_epi16(mask, from);
    }
  }
}

// The word at k of 16 consecutive indices, of which `valid` exist; k_left elements remain from k
// on. kWhole: all exist, and two elements remain.
template <Words kWords, bool kWhole>
inline __m512i words_across(const MatrixView& x, int64_t index, int64_t valid, int64_t k,
                            int64_t k_left) {
  if constexpr (kWords != Words::bf16_pairs) {
    return consecutive_words<kWords, kWhole>(x, k * x.stride + index, valid);
  } else {
    const uint16_t* first = static_cast<const uint16_t*>(x.data) + k * x.stride + index;
    if constexpr (kWhole) {
      const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(load_half(first)),
                                              load_half(first + x.stride), 1);
      return _mm512_permutexvar_epi16(pair_order(0, 16), both);
    }
    const auto mask = static_cast<__mmask16>(low_bits(valid));
    const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, first));
    if (k_left < 2) return low;
    return _mm512_or_si512(low, widen(_mm256_maskz_loadu_epi16(mask, first + x.stride)));
  }
}

// 16 x 16 words, in four steps that exchange blocks of 1, 2, 4 and 8.
inline void transpose(__m512i v[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (ptrdiff_t i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (ptrdiff_t i = 0; i < 4; ++i) {
    v[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    v[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    v[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    v[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  // v[4i+j] now holds column j of each quarter, for rows 4i..4i+3.
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    t[j] = _mm512_shuffle_i32x4(v[j], v[4 + j], 0x88);
    t[4 + j] = _mm512_shuffle_i32x4(v[j], v[4 + j], 0xdd);
    t[8 + j] = _mm512_shuffle_i32x4(v[8 + j], v[12 + j], 0x88);
    t[12 + j] = _mm512_shuffle_i32x4(v[8 + j], v[12 + j], 0xdd);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    v[j] = _mm512_shuffle_i32x4(t[j], t[8 + j], 0x88);
    v[8 + j] = _mm512_shuffle_i32x4(t[j], t[8 + j], 0xdd);
    v[4 + j] = _mm512_shuffle_i32x4(t[4 + j], t[12 + j], 0x88);
    v[12 + j] = _mm512_shuffle_i32x4(t[4 + j], t[12 + j], 0xdd);
  }
}

// Indices [index, index + 16) of which `valid` exist, and 16 words from k on: v[i] holds the words
// of index i (kByIndex), or v[w] the indices of word w. kWhole: all exist.
template <Words kWords, bool kByIndex, bool kWhole>
inline void load_block(const MatrixView& x, int64_t index, int64_t valid, int64_t k, int64_t k_left,
                       __m512i v[16]) {
  // Unrolled, so that the block stays in registers.
  if (x.k_is_strided) {
#pragma GCC unroll 16
    for (int64_t i = 0; i < 16; ++i) {
      const int64_t skipped = i * kElements<kWords>;
      v[i] = kWhole || skipped < k_left
                 ? words_across<kWords, kWhole>(x, index, valid, k + skipped, k_left - skipped)
                 : _mm512_setzero_si512();
    }
  } else {
#pragma GCC unroll 16
    for (int64_t i = 0; i < 16; ++i) {
      v[i] = kWhole || i < valid
                 ? consecutive_words<kWords, kWhole>(x, (index + i) * x.stride + k, k_left)
                 : _mm512_setzero_si512();
    }
  }
  if (x.k_is_strided == kByIndex) transpose(v);
}

template <Words kWords, bool kByIndex>
inline void load_any_block(const MatrixView& x, int64_t index, int64_t valid, int64_t k,
                           int64_t k_left, __m512i v[16]) {
  if (valid >= 16 && k_left >= kChunkWords * kElements<kWords>) {
    load_block<kWords, kByIndex, true>(x, index, valid, k, k_left, v);
  } else {
    load_block<kWords, kByIndex, false>(x, index, valid, k, k_left, v);
  }
}

}  // namespace
}  // namespace argosy::ops::detail
