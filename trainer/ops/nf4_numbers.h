// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The numbers of NF4, on any device: levels, scales, and where they lie.
#pragma once

#include <cstdint>

#include "planner/spec/nf4.h"

namespace argosy::ops {

inline constexpr int kNf4Levels = 16;

// Quantiles of a normal distribution, scaled to [-1, 1], with an exact 0: appendix E of Dettmers et
// al. 2023 (arXiv 2305.14314).
constexpr float nf4_level(int code) {
  const float levels[kNf4Levels] = {-1.0f,
                                    -0.6961928009986877f,
                                    -0.5250730514526367f,
                                    -0.39491748809814453f,
                                    -0.28444138169288635f,
                                    -0.18477343022823334f,
                                    -0.09105003625154495f,
                                    0.0f,
                                    0.07958029955625534f,
                                    0.16093020141124725f,
                                    0.24611230194568634f,
                                    0.33791524171829224f,
                                    0.44070982933044434f,
                                    0.5626170039176941f,
                                    0.7229568362236023f,
                                    1.0f};
  return levels[code];
}

// The level nearest to x, of [-1, 1]; that of 0 for a NaN.
template <typename T>
constexpr int nf4_code(T x) {
  constexpr int kZero = 7;
  int code = 0;
  for (int i = 0; i + 1 < kNf4Levels; ++i) {
    const T middle = (T(nf4_level(i)) + T(nf4_level(i + 1))) / 2;
    code += x > middle ? 1 : 0;
  }
  return x != x ? kZero : code;
}

// n - 1, n 256ths of the tile's largest magnitude being nearest to the block's. Never more than 9/8
// of it, so that the block's largest keeps the level 1; never 0.
template <typename T>
constexpr uint8_t nf4_scale_code(T largest, T of_tile) {
  const T share = largest / of_tile * 256;
  const T raised = share + (share < 4 ? share / 8 : T(0.5));
  if (!(raised >= 1)) return 0;  // a NaN too
  return raised >= 256 ? uint8_t{255} : static_cast<uint8_t>(static_cast<int>(raised) - 1);
}
constexpr float nf4_scale(uint8_t code, float of_tile) {
  return of_tile * (static_cast<float>(code + 1) / 256.0f);
}

// The larger magnitude; a NaN is larger than any.
template <typename T>
constexpr T larger(T a, T b) {
  return a >= b || a != a ? a : b;
}
template <typename T>
constexpr T magnitude(T x) {
  return x < 0 ? -x : x;
}

// Where the numbers of a part lie: row r and column c count in the part, block b and tiles in the
// weight.
struct Nf4Place {
  int64_t row_begin = 0, col_begin = 0, cols = 0;
  int64_t first_block = 0, num_blocks = 0;
  int64_t first_tile_row = 0, first_tile_col = 0, num_tile_cols = 0;

  constexpr int64_t block_of(int64_t c) const { return (col_begin + c) / kNf4Block; }
  constexpr int64_t scale_at(int64_t r, int64_t b) const {
    return r * num_blocks + b - first_block;
  }
  constexpr int64_t tile_at(int64_t r, int64_t b) const {
    const int64_t row = (row_begin + r) / kNf4TileRows - first_tile_row;
    return row * num_tile_cols + b / kNf4TileBlocks - first_tile_col;
  }
};
inline Nf4Place place_of(const Box& box) {
  const Box blocks = nf4_blocks(box), tiles = nf4_tiles(box);
  return {box.rows.begin,     box.cols.begin,   box.cols.size(),  blocks.cols.begin,
          blocks.cols.size(), tiles.rows.begin, tiles.cols.begin, tiles.cols.size()};
}

// A part in memory that is read.
struct Nf4View {
  Nf4Place place;
  const uint8_t* codes = nullptr;
  const uint8_t* scales = nullptr;
  const float* tile_scales = nullptr;

  constexpr float scale(int64_t r, int64_t b) const {
    return nf4_scale(scales[place.scale_at(r, b)], tile_scales[place.tile_at(r, b)]);
  }
  constexpr int code(int64_t element) const {
    return codes[element / 2] >> (element % 2 * 4) & (kNf4Levels - 1);
  }
};

}  // namespace argosy::ops
