// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <algorithm>
#include <array>

#include "trainer/ops/cpu_loops.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/nf4.h"

namespace argosy::ops {
namespace {

// What scales and elements are computed in.
template <typename T>
using Compute = std::conditional_t<std::is_same_v<T, double>, double, float>;

// The largest magnitude of x (size), in lanes that vectors keep apart.
template <typename T>
Compute<T> largest_of(const T* x, int64_t size) {
  constexpr int64_t kLanes = 16;
  std::array<Compute<T>, kLanes> lanes{};
  for (int64_t i = 0; i < size; i += kLanes) {
    const int64_t count = std::min(kLanes, size - i);
#pragma omp simd
    for (int64_t j = 0; j < count; ++j)
      lanes[j] = larger(lanes[j], magnitude(Compute<T>(x[i + j])));
  }
  Compute<T> largest = 0;
  for (const Compute<T> lane : lanes) largest = larger(largest, lane);
  return largest;
}

// A tile of `around`, tensor x: the largest magnitude of each of its blocks.
template <typename T>
struct TileMaxima {
  std::array<std::array<Compute<T>, kNf4TileBlocks>, kNf4TileRows> of_block{};
  Compute<T> of_tile = 0;

  TileMaxima(const Tensor& x, const Box& around, const Box& tile) {
    for (int64_t r = tile.rows.begin; r < tile.rows.end; ++r) {
      const T* row = x.data<T>() + (r - around.rows.begin) * around.cols.size();
      auto& blocks = of_block[static_cast<size_t>(r - tile.rows.begin)];
      for (int64_t c = tile.cols.begin; c < tile.cols.end; c += kNf4Block) {
        const Compute<T> largest =
            largest_of(row + c - around.cols.begin, std::min(kNf4Block, tile.cols.end - c));
        blocks[static_cast<size_t>((c - tile.cols.begin) / kNf4Block)] = largest;
        of_tile = larger(of_tile, largest);
      }
    }
  }
};

// Scales of the tile and of those of its blocks that `to` has.
template <typename T>
void set_scales(const Tensor& x, const Box& around, const Box& tile, const Nf4Matrix& to) {
  const TileMaxima<T> maxima(x, around, tile);
  const Nf4Place place = place_of(to.box);
  const auto of_tile = static_cast<float>(maxima.of_tile);
  const Box mine = intersect(nf4_blocks(tile), nf4_blocks(to.box));
  const int64_t first_block = tile.cols.begin / kNf4Block;
  for (int64_t row = mine.rows.begin; row < mine.rows.end; ++row) {
    const int64_t r = row - place.row_begin;
    for (int64_t b = mine.cols.begin; b < mine.cols.end; ++b) {
      const auto largest = maxima.of_block[static_cast<size_t>(row - tile.rows.begin)]
                                          [static_cast<size_t>(b - first_block)];
      to.scales.data<uint8_t>()[place.scale_at(r, b)] =
          nf4_scale_code(largest, Compute<T>(of_tile));
      to.tile_scales.data<float>()[place.tile_at(r, b)] = of_tile;
    }
  }
}

// Codes of columns of row r, which are of one block.
template <typename T>
void set_codes_of_block(const T* values, const Nf4View& view, int64_t r, Range columns,
                        uint8_t* codes) {
  const auto scale = Compute<T>(view.scale(r, view.place.block_of(columns.begin)));
  std::array<int, kNf4Block> code;
#pragma omp simd
  for (int64_t c = columns.begin; c < columns.end; ++c)
    code[static_cast<size_t>(c - columns.begin)] = nf4_code(Compute<T>(values[c]) / scale);
  for (int64_t c = columns.begin; c < columns.end; ++c) {
    const int64_t element = r * view.place.cols + c;
    const int level = code[static_cast<size_t>(c - columns.begin)];
    uint8_t& byte = codes[element / 2];
    byte = static_cast<uint8_t>(element % 2 == 0 ? level : byte | level << 4);
  }
}

template <typename T>
void set_codes(const T* values, const Nf4View& view, int64_t r, uint8_t* codes) {
  for (int64_t c = 0; c < view.place.cols;) {
    const int64_t end = (view.place.block_of(c) + 1) * kNf4Block - view.place.col_begin;
    const Range columns = {c, std::min(end, view.place.cols)};
    set_codes_of_block(values, view, r, columns, codes);
    c = columns.end;
  }
}

// Columns of row r one by one.
template <typename T>
void widen(const Nf4View& view, int64_t r, Range columns, T* row) {
  for (int64_t c = columns.begin; c < columns.end;) {
    const int64_t b = view.place.block_of(c);
    const auto scale = Compute<T>(view.scale(r, b));
    const int64_t end = std::min(columns.end, (b + 1) * kNf4Block - view.place.col_begin);
    for (; c < end; ++c)
      row[c] = T(Compute<T>(nf4_level(view.code(r * view.place.cols + c))) * scale);
  }
}

void widen_tile(const detail::VectorRows& rows, const Nf4View& view, int64_t r, int64_t c,
                int64_t num_blocks, bfloat16* to) {
  const int64_t b = view.place.block_of(c), element = r * view.place.cols + c;
  rows.nf4(view.codes + element / 2, view.scales + view.place.scale_at(r, b),
           view.tile_scales[view.place.tile_at(r, b)], num_blocks, to);
}
void widen_tile(const detail::VectorRows& rows, const Nf4View& view, int64_t r, int64_t c,
                int64_t num_blocks, float* to) {
  const int64_t b = view.place.block_of(c), element = r * view.place.cols + c;
  rows.nf4_floats(view.codes + element / 2, view.scales + view.place.scale_at(r, b),
                  view.tile_scales[view.place.tile_at(r, b)], num_blocks, to);
}

// Row r, whose blocks are whole from its first column on, but for the last.
template <typename T>
void widen_by_tiles(const detail::VectorRows& rows, const Nf4View& view, int64_t r, T* row) {
  const int64_t whole = view.place.cols / kNf4Block * kNf4Block;
  for (int64_t c = 0; c < whole;) {
    const int64_t to_next_tile = kNf4TileBlocks - view.place.block_of(c) % kNf4TileBlocks;
    const int64_t blocks = std::min(to_next_tile, (whole - c) / kNf4Block);
    widen_tile(rows, view, r, c, blocks, row + c);
    c += blocks * kNf4Block;
  }
  widen(view, r, {whole, view.place.cols}, row);
}

}  // namespace

template <>
void detail::quantize_nf4<Device::cpu>(DeviceContext&, const Tensor& x, const Box& around,
                                       const Nf4Matrix& to) {
  const Box tiles = nf4_tiles(to.box);
  const int64_t rows = to.box.rows.size(), cols = to.box.cols.size();
  dispatch_float(x.dtype(), [&]<typename T>() {
    for_rows(tiles.size(), kNf4TileRows * kNf4TileCols, [&](int64_t i) {
      const int64_t row = (tiles.rows.begin + i / tiles.cols.size()) * kNf4TileRows,
                    col = (tiles.cols.begin + i % tiles.cols.size()) * kNf4TileCols;
      const Box tile = {{row, row + kNf4TileRows}, {col, col + kNf4TileCols}};
      set_scales<T>(x, around, intersect(tile, around), to);
    });
    const Nf4View view = view_of(to);
    const T* first = x.data<T>() + (to.box.rows.begin - around.rows.begin) * around.cols.size() +
                     to.box.cols.begin - around.cols.begin;
    const auto set_row = [&](int64_t r) {
      set_codes(first + r * around.cols.size(), view, r, to.codes.data<uint8_t>());
    };
    if (cols % 2 == 0) return for_rows(rows, cols, set_row);
    for (int64_t r = 0; r < rows; ++r) set_row(r);  // a byte has elements of two rows
  });
}

template <>
void detail::dequantize_nf4<Device::cpu>(DeviceContext&, const Nf4Matrix& from, const Tensor& out) {
  const Nf4View view = view_of(from);
  const int64_t cols = view.place.cols;
  dispatch_float(out.dtype(), [&]<typename T>() {
    const VectorRows* rows = std::is_same_v<T, double> ? nullptr : vector_rows();
    const bool is_by_tiles = rows != nullptr && view.place.col_begin % kNf4Block == 0;
    for_rows(out.dim(0), cols, [&](int64_t r) {
      T* row = out.data<T>() + r * cols;
      if constexpr (!std::is_same_v<T, double>) {
        if (is_by_tiles && r * cols % 2 == 0) return widen_by_tiles(*rows, view, r, row);
      }
      widen(view, r, {0, cols}, row);
    });
  });
}

}  // namespace argosy::ops
