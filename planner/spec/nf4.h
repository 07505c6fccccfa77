// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How a weight lies in NF4 with double quantization (Dettmers et al. 2023, arXiv 2305.14314,
// section 3): 4 bits an element, a scale of 8 bits for a block of 64, an fp32 for 256 of those:
// 4.127 bits. Blocks are those of the whole weight, whatever its layout, so that a rank's part is
// the same numbers as one rank's: a block is 64 neighbours of a row, a tile 64 rows by 4 blocks. A
// part that cuts a block or a tile keeps the scales of all that it touches.
#pragma once

#include <cstdint>

#include "planner/spec/layout.h"

namespace argosy {

inline constexpr int64_t kNf4Block = 64;      // columns
inline constexpr int64_t kNf4TileRows = 64;   // whole heads, which tensor parallelism deals out
inline constexpr int64_t kNf4TileBlocks = 4;  // a tile has 256 blocks
inline constexpr int64_t kNf4TileCols = kNf4TileBlocks * kNf4Block;

// Scales of 8 bits that `box`, a part of a weight, needs: its rows by the blocks it touches.
Box nf4_blocks(const Box& box);
// The tiles it touches, in tiles: an fp32 each.
Box nf4_tiles(const Box& box);
int64_t nf4_code_bytes(const Box& box);  // two elements a byte, row by row without gaps
int64_t nf4_bytes(const Box& box);       // of all three

// What must be known of a weight (rows, cols) to quantize `box`: its tiles, whole.
Box nf4_tiles_around(const Box& box, int64_t rows, int64_t cols);

}  // namespace argosy
