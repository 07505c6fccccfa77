// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the two passes of packed attention share. A task is one key/value head of one sequence, as
// in attention_tiles.h. Tiles are 96 queries by 64 keys; inside of a tile, panels of queries and
// keys that do not see each other are left out. Included by attention_packed_*_cpu.cpp only.
#pragma once

#include "trainer/ops/attention_packed_cpu.h"
#include "trainer/ops/attention_tiles.h"

namespace argosy::ops::detail {

inline int64_t panels_of(int64_t indices, int64_t panel) {
  return (indices + panel - 1) / panel;
}

// One head of one sequence inside of a tensor, as an operand. (index, k) is (row, dim) or, strided,
// (dim, row).
inline MatrixView operand_of(const Tensor& x, const AttentionShape& s, const HeadIndex& index,
                             bool k_is_strided) {
  const int64_t offset = index.offset_in(x, s);
  const auto* data = static_cast<const std::byte*>(x.raw()) + offset * size_in_bytes(x.dtype());
  return {data, x.dtype(), x.dim(1), k_is_strided};
}

// One head of one sequence inside of a tensor, to be written.
struct ResultView {
  std::byte* data;
  DType dtype;
  int64_t stride, size;  // elements from row to row, and of a row
};
inline ResultView result_of(const Tensor& x, const AttentionShape& s, const HeadIndex& index) {
  const int64_t offset = index.offset_in(x, s);
  return {static_cast<std::byte*>(x.raw()) + offset * size_in_bytes(x.dtype()), x.dtype(), x.dim(1),
          index.size_in(x)};
}

// What a head's elements take: words along k, panels as columns.
struct HeadPanels {
  int64_t words = 0, panels = 0;
};

// Packed panels of one operand in the workspace, counted in floats (words).
struct PackedOperand {
  float* data = nullptr;
  int64_t panel_size = 0;
  float* panel(int64_t i) const { return data + i * panel_size; }
};

struct PackedPass {
  PackedPass(const CpuKernel& k, const AttentionShape& shape)
      : kernel(k),
        fp32_kernel(*kernel_choice(DType::fp32).kernel),
        s(shape),
        key_tiles(tiles_of(s.keys, kScoreKeys)),
        keys_dim{kernel.words(s.head_dim), panels_of(s.head_dim, kPanelColumns)},
        values_dim{kernel.words(s.value_dim), panels_of(s.value_dim, kPanelColumns)},
        row_panels(panels_of(kScoreRows, kernel.panel_rows)) {}

  int64_t num_key_tiles() const { return static_cast<int64_t>(key_tiles.size()); }
  const Tile& key_tile(int64_t t) const { return key_tiles[static_cast<size_t>(t)]; }

  // Room for `panels` panels of `indices` rows or columns, `words` long.
  PackedOperand take(Arena<float>& arena, int64_t panels, int64_t indices, int64_t words) const {
    const int64_t size = panel_bytes(indices, words) / kWordBytes;
    return {arena.take(panels * size), size};
  }

  // Rows [range] of x in panels of the kernel's height.
  void pack_rows(const MatrixView& x, Range index, Range k, const PackedOperand& to) const {
    const bool whole = panel_bytes(kernel.panel_rows, kernel.words(k.size())) ==
                       to.panel_size * kWordBytes;  // else its panels have room for more
    const int64_t step = whole ? index.size() : kernel.panel_rows;
    for (int64_t i = index.begin; i < index.end; i += step) {
      kernel.pack_rows(x, {i, std::min(i + step, index.end)}, k,
                       to.panel((i - index.begin) / kernel.panel_rows));
    }
  }

  // Keys of a tile that the newest of the query tile's first `rows` rows may see, causally.
  int64_t keys_before(const Tile& query, const Tile& key, int64_t rows) const {
    const int64_t newest = query.position + rows - 1;
    return std::clamp<int64_t>(newest - key.position + 1, 0, key.rows);
  }

  // scores (rows, keys) = a b over `words` for the panels that see each other.
  void multiply_scores(const Tile& query, const Tile& key, int64_t words, const PackedOperand& a,
                       const float* b, float* scores) const {
    const int64_t b_size = panel_bytes(kPanelColumns, words) / kWordBytes;
    for (int64_t row = 0, i = 0; row < query.rows; row += kernel.panel_rows, ++i) {
      const int64_t rows = std::min(kernel.panel_rows, query.rows - row);
      const int64_t keys = keys_before(query, key, row + rows);
      for (int64_t p = 0; p * kPanelColumns < keys; ++p) {
        kernel.multiply(rows, words, a.panel(i), b + p * b_size,
                        scores + (p * kScoreRows + row) * kPanelColumns, kPanelColumns, false);
      }
    }
  }

  // out (rows, dims) += a (rows, keys) b (keys, dims), the dims in `panels` of 32.
  void add_over_keys(const Tile& query, const Tile& key, const PackedOperand& a, const float* b,
                     int64_t panels, float* out) const {
    const int64_t b_size = panel_bytes(kPanelColumns, kernel.words(key.rows)) / kWordBytes;
    for (int64_t row = 0, i = 0; row < query.rows; row += kernel.panel_rows, ++i) {
      const int64_t rows = std::min(kernel.panel_rows, query.rows - row);
      const int64_t words = kernel.words(keys_before(query, key, row + rows));
      if (words == 0) continue;
      for (int64_t p = 0; p < panels; ++p) {
        kernel.multiply(rows, words, a.panel(i), b + p * b_size,
                        out + (p * kScoreRows + row) * kPanelColumns, kPanelColumns, true);
      }
    }
  }

  // The tile of scores with its mask, in first and last (kScoreRows each).
  ScoreTile score_tile(const int32_t* begins, const Tile& query, const Tile& key, float* scores,
                       int32_t* first, int32_t* last) const {
    ScoreTile tile = {query.rows, scores,  static_cast<float>(s.scale),
                      nullptr,    nullptr, kernel.panel_rows};
    const int64_t newest = query.rows - 1;
    const bool all_before =
        key.rows == kScoreKeys && key.position + kScoreKeys - 1 <= query.position;
    if (all_before &&
        key.position >= oldest_key(s, begins, query.row + newest, query.position + newest))
      return tile;
    for (int64_t i = 0; i < query.rows; ++i) {
      const int64_t position = query.position + i;
      const int64_t oldest = oldest_key(s, begins, query.row + i, position) - key.position;
      first[i] = static_cast<int32_t>(std::clamp<int64_t>(oldest, 0, kScoreKeys));
      last[i] =
          static_cast<int32_t>(std::clamp<int64_t>(position - key.position, -1, key.rows - 1));
    }
    tile.first = first;
    tile.last = last;
    return tile;
  }

  // A row of a result in panels of 32 columns to row `to_row` of a tensor.
  void write_row(const float* panels, int64_t panel_stride, float alpha, bool add_old,
                 const ResultView& to, int64_t to_row) const {
    for (int64_t d = 0; d < to.size; d += kPanelColumns) {
      kernel.write_tile(panels + d / kPanelColumns * panel_stride, 1,
                        std::min(kPanelColumns, to.size - d), {alpha, nullptr, add_old, to.dtype},
                        to.data + (to_row * to.stride + d) * size_in_bytes(to.dtype), to.stride);
    }
  }

  const CpuKernel& kernel;
  const CpuKernel& fp32_kernel;
  const AttentionShape& s;
  std::vector<Tile> key_tiles;
  HeadPanels keys_dim, values_dim;  // of head_dim, of value_dim
  int64_t row_panels;               // of kScoreRows
};

}  // namespace argosy::ops::detail
