// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Packs operands for the kernels in blocks of 16 x 16 words. Included by
// cpu_kernels_*.cpp only, which are compiled for AVX-512 (F, BW, DQ, VL) whatever the rest of the
// build is for: everything here has internal linkage, so that no other file can be linked against
// these copies.
#pragma once

#include <immintrin.h>

#include <algorithm>
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

// A chunk of one panel whose rows are stored along k.
template <Words kWords, int64_t kRows>
void copy_row_chunk(const MatrixView& x, Range index, int64_t k, int64_t k_end, uint32_t* out) {
  const bool whole = index.size() >= kRows && k_end - k >= kChunkWords * kElements<kWords>;
#pragma GCC unroll 4
  for (int64_t i = 0; i < kRows; ++i, out += kChunkWords) {
    const int64_t at = (index.begin + i) * x.stride + k;
    if (whole) {
      _mm512_store_si512(out, consecutive_words<kWords, true>(x, at, 0));
    } else if (i < index.size()) {
      _mm512_store_si512(out, consecutive_words<kWords, false>(x, at, k_end - k));
    } else {
      _mm512_store_si512(out, _mm512_setzero_si512());
    }
  }
}

// Reads along the rows of what is stored: panel after panel where k runs along them, else chunk
// after chunk of all panels, whose blocks of 16 indices need not end where a panel does.
template <Words kWords, int64_t kRows>
void pack_rows_of(const MatrixView& x, Range index, Range k, void* panels) {
  constexpr int64_t kStep = kChunkWords * kElements<kWords>, kChunkSize = kRows * kChunkWords;
  const int64_t panel_size = (k.size() + kStep - 1) / kStep * kChunkSize;
  const int64_t num_panels = (index.size() + kRows - 1) / kRows;
  auto* out = static_cast<uint32_t*>(panels);
  if (!x.k_is_strided) {
    for (int64_t panel = 0; panel < num_panels; ++panel) {
      const Range rows = {index.begin + panel * kRows, index.end};
      for (int64_t at = k.begin; at < k.end; at += kStep, out += kChunkSize)
        copy_row_chunk<kWords, kRows>(x, rows, at, k.end, out);
    }
    return;
  }
  for (int64_t at = k.begin; at < k.end; at += kStep, out += kChunkSize) {
    prefetch_strided<kWords>(x, index, at + kStep, k.end);
    for (int64_t first = 0; first < num_panels * kRows; first += 16) {
      __m512i v[16];
      load_any_block<kWords, true>(x, index.begin + first, index.size() - first, at, k.end - at, v);
#pragma GCC unroll 16
      for (int64_t i = 0; i < 16; ++i) {
        const int64_t row = first + i;
        if (row / kRows < num_panels)
          _mm512_store_si512(out + row / kRows * panel_size + row % kRows * kChunkWords, v[i]);
      }
    }
  }
}

// A word of 32 columns, each stored row as one vector.
template <Words kWords>
inline void pack_column_word(const MatrixView& x, int64_t index, int64_t k, uint32_t* out) {
  if constexpr (kWords == Words::bf16_pairs) {
    const uint16_t* first = static_cast<const uint16_t*>(x.data) + k * x.stride + index;
    const __m512i even = _mm512_loadu_si512(first), odd = _mm512_loadu_si512(first + x.stride);
    _mm512_store_si512(out, _mm512_permutex2var_epi16(even, pair_order(0, 32), odd));
    _mm512_store_si512(out + 16, _mm512_permutex2var_epi16(even, pair_order(16, 48), odd));
  } else {
    const int64_t at = k * x.stride + index;
    _mm512_store_si512(out, consecutive_words<kWords, true>(x, at, 0));
    _mm512_store_si512(out + 16, consecutive_words<kWords, true>(x, at + 16, 0));
  }
}

template <Words kWords>
void pack_column_chunk(const MatrixView& x, Range index, int64_t k, int64_t k_end, uint32_t* out) {
  constexpr int64_t kStep = kChunkWords * kElements<kWords>;
  if (x.k_is_strided && index.size() == kPanelColumns && k_end - k >= kStep) {
#pragma GCC unroll 4
    for (int64_t w = 0; w < kChunkWords; ++w) {
      pack_column_word<kWords>(x, index.begin, k + w * kElements<kWords>, out + w * kPanelColumns);
    }
    return;
  }
  for (int64_t half = 0; half < kPanelColumns; half += 16) {
    __m512i v[16];
    load_any_block<kWords, false>(x, index.begin + half, index.size() - half, k, k_end - k, v);
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

}  // namespace
}  // namespace argosy::ops::detail
