// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Packs operands into the panels of the kernels. Included by cpu_kernels_*.cpp only; internal
// linkage, as cpu_words_avx512.h.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>

#include "trainer/ops/cpu_kernels.h"
#include "trainer/ops/cpu_words_avx512.h"

namespace argosy::ops::detail {
namespace {

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
