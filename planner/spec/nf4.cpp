// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/nf4.h"

#include <algorithm>

#include "planner/spec/integers.h"

namespace argosy {

namespace {

// Pieces of `unit` that `range` touches.
Range touched(Range range, int64_t unit) {
  if (range.empty()) return {};
  return {range.begin / unit, ceil_div(range.end, unit)};
}

}  // namespace

Box nf4_blocks(const Box& box) {
  return {box.rows, touched(box.cols, kNf4Block)};
}

Box nf4_tiles(const Box& box) {
  return {touched(box.rows, kNf4TileRows), touched(box.cols, kNf4TileCols)};
}

int64_t nf4_code_bytes(const Box& box) {
  return ceil_div(box.size(), 2);
}

int64_t nf4_bytes(const Box& box) {
  return nf4_code_bytes(box) + nf4_blocks(box).size() +
         nf4_tiles(box).size() * size_in_bytes(DType::fp32);
}

Box nf4_tiles_around(const Box& box, int64_t rows, int64_t cols) {
  const Box tiles = nf4_tiles(box);
  return {{tiles.rows.begin * kNf4TileRows, std::min(rows, tiles.rows.end * kNf4TileRows)},
          {tiles.cols.begin * kNf4TileCols, std::min(cols, tiles.cols.end * kNf4TileCols)}};
}

}  // namespace argosy
