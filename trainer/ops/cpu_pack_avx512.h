// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Packs operands for the kernels in blocks of 16 x 16 words, and writes their results. Included by
// cpu_kernels_*.cpp only, which are compiled for AVX-512 (F, BW, DQ, VL) whatever the rest of the
// build is for: everything here has internal linkage, so that no other file can be linked against
// these copies.
#pragma once

#include <immintrin.h>

#include <algorithm>
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

// 16 words of consecutive elements, of which `valid` exist.
template <Words kWords>
__m512i consecutive_words(const MatrixView& x, int64_t at, int64_t valid) {
  const uint32_t mask = low_bits(valid);
  if constexpr (kWords == Words::fp32) {
    return _mm512_maskz_loadu_epi32(static_cast<__mmask16>(mask),
                                    static_cast<const float*>(x.data) + at);
  } else if constexpr (kWords == Words::widened) {
    return widen(_mm256_maskz_loadu_epi16(static_cast<__mmask16>(mask),
                                          static_cast<const uint16_t*>(x.data) + at));
  } else {
    return _mm512_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(x.data) + at);
  }
}

// The word at k of 16 consecutive indices, of which `valid` exist; k_left elements remain from k
// on.
template <Words kWords>
__m512i words_across(const MatrixView& x, int64_t index, int64_t valid, int64_t k, int64_t k_left) {
  if constexpr (kWords != Words::bf16_pairs) {
    return consecutive_words<kWords>(x, k * x.stride + index, valid);
  } else {
    const auto mask = static_cast<__mmask16>(low_bits(valid));
    const uint16_t* first = static_cast<const uint16_t*>(x.data) + k * x.stride + index;
    const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, first));
    if (k_left < 2) return low;
    return _mm512_or_si512(low, widen(_mm256_maskz_loadu_epi16(mask, first + x.stride)));
  }
}

// 16 x 16 words, in four steps that exchange blocks of 1, 2, 4 and 8.
inline void transpose(__m512i v[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
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
// of index i (kByIndex), or v[w] the indices of word w.
template <Words kWords, bool kByIndex>
inline void load_block(const MatrixView& x, int64_t index, int64_t valid, int64_t k, int64_t k_left,
                       __m512i v[16]) {
  // Unrolled, so that the block stays in registers.
  if (x.k_is_strided) {
#pragma GCC unroll 16
    for (int64_t i = 0; i < 16; ++i) {
      const int64_t skipped = i * kElements<kWords>;
      v[i] = skipped < k_left ? words_across<kWords>(x, index, valid, k + skipped, k_left - skipped)
                              : _mm512_setzero_si512();
    }
  } else {
#pragma GCC unroll 16
    for (int64_t i = 0; i < 16; ++i) {
      v[i] = i < valid ? consecutive_words<kWords>(x, (index + i) * x.stride + k, k_left)
                       : _mm512_setzero_si512();
    }
  }
  if (x.k_is_strided == kByIndex) transpose(v);
}

template <Words kWords, int64_t kRows>
void pack_rows_of(const MatrixView& x, Range index, Range k, void* panel) {
  auto* out = static_cast<uint32_t*>(panel);
  for (int64_t at = k.begin; at < k.end; at += kChunkWords * kElements<kWords>) {
    for (int64_t row = 0; row < kRows; row += 16) {
      __m512i v[16];
      load_block<kWords, true>(x, index.begin + row, index.size() - row, at, k.end - at, v);
      constexpr int64_t kBlock = kRows < 16 ? kRows : 16;
#pragma GCC unroll 16
      for (int64_t i = 0; i < kBlock; ++i) _mm512_store_si512(out + i * kChunkWords, v[i]);
      out += kBlock * kChunkWords;
    }
  }
}

// Asks for the stored rows of the chunk that is packed next.
template <Words kWords>
void prefetch_strided(const MatrixView& x, Range index, int64_t k, int64_t k_end) {
  const int64_t bytes = size_in_bytes(x.dtype);
  const auto* data = static_cast<const char*>(x.data);
  const int64_t last = std::min(k + kChunkWords * kElements<kWords>, k_end);
  for (; k < last; ++k) {
    const char* row = data + k * x.stride * bytes;
    for (int64_t at = index.begin * bytes; at < index.end * bytes; at += 64)
      _mm_prefetch(row + at, _MM_HINT_T0);
  }
}

template <Words kWords>
void pack_column_chunk(const MatrixView& x, Range index, int64_t k, int64_t k_end, uint32_t* out) {
  for (int64_t half = 0; half < kPanelColumns; half += 16) {
    __m512i v[16];
    load_block<kWords, false>(x, index.begin + half, index.size() - half, k, k_end - k, v);
#pragma GCC unroll 16
    for (int64_t w = 0; w < 16; ++w) _mm512_store_si512(out + w * kPanelColumns + half, v[w]);
  }
}

// Reads along the rows of what is stored: panel after panel where k runs along them, else chunk
// after chunk of all panels.
template <Words kWords>
void pack_columns_of(const MatrixView& x, Range index, Range k, void* panels) {
  constexpr int64_t kStep = kChunkWords * kElements<kWords>;
  constexpr int64_t kChunkSize = kChunkWords * kPanelColumns;
  const int64_t panel_size = (k.size() + kStep - 1) / kStep * kChunkSize;
  auto* out = static_cast<uint32_t*>(panels);
  const auto pack = [&](int64_t panel, int64_t at) {
    const int64_t begin = index.begin + panel * kPanelColumns;
    pack_column_chunk<kWords>(x, {begin, std::min(begin + kPanelColumns, index.end)}, at, k.end,
                              out + panel * panel_size + (at - k.begin) / kStep * kChunkSize);
  };
  const int64_t num_panels = (index.size() + kPanelColumns - 1) / kPanelColumns;
  if (x.k_is_strided) {
    for (int64_t at = k.begin; at < k.end; at += kStep) {
      prefetch_strided<kWords>(x, index, at + kStep, k.end);
      for (int64_t panel = 0; panel < num_panels; ++panel) pack(panel, at);
    }
  } else {
    for (int64_t panel = 0; panel < num_panels; ++panel) {
      for (int64_t at = k.begin; at < k.end; at += kStep) pack(panel, at);
    }
  }
}

template <int64_t kRows>
void pack_fp32_rows(const MatrixView& x, Range index, Range k, void* panel) {
  if (x.dtype == DType::fp32) return pack_rows_of<Words::fp32, kRows>(x, index, k, panel);
  pack_rows_of<Words::widened, kRows>(x, index, k, panel);
}
inline void pack_fp32_columns(const MatrixView& x, Range index, Range k, void* panel) {
  if (x.dtype == DType::fp32) return pack_columns_of<Words::fp32>(x, index, k, panel);
  pack_columns_of<Words::widened>(x, index, k, panel);
}

// As bfloat16(float): to nearest even, NaN stays a NaN. Not VCVTNEPS2BF16, which flushes denormals
// and is not in every AVX-512.
inline __m256i narrow(__m512 values) {
  const __m512i words = _mm512_castps_si512(values);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(words, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(words, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
  const __m512i quiet = _mm512_or_si512(words, _mm512_set1_epi32(0x400000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_mov_epi32(rounded, nan, quiet), 16));
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

inline void write_row(const float* sums, int64_t columns, const Epilogue& epilogue, void* to) {
  if (epilogue.dtype == DType::bf16) return write_row_as<DType::bf16>(sums, columns, epilogue, to);
  write_row_as<DType::fp32>(sums, columns, epilogue, to);
}

}  // namespace
}  // namespace argosy::ops::detail
