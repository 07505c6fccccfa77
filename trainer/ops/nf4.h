// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Weights in NF4 (Dettmers et al. 2023, arXiv 2305.14314, section 3; planner/spec/nf4.h says how
// they lie). An element is one of 16 levels times the scale of its block. That scale is a number of
// 8 bits times the fp32 of its tile, which is the tile's largest magnitude: n 256ths of it, n from
// 1 to 256. The paper takes an 8-bit float of what a scale is above the mean of the tensor's; these
// are as close for the scales that weights have, and depend on nothing beyond the tile. A level is
// chosen for the scale as it is kept, and the largest of a block stays the largest: so quantizing
// what dequantize_nf4() gives, in the same dtype, gives the same bits.
#pragma once

#include <vector>

#include "planner/spec/nf4.h"
#include "trainer/device/device_context.h"
#include "trainer/ops/nf4_numbers.h"

namespace argosy::ops {

// A part of a weight.
struct Nf4Matrix {
  Box box;             // of the whole weight
  Tensor codes;        // (nf4_code_bytes(box)) uint8: levels, the first of two in the lower bits
  Tensor scales;       // nf4_blocks(box), (rows, blocks) uint8: n - 1
  Tensor tile_scales;  // nf4_tiles(box) fp32
  bool defined() const { return codes.defined(); }
};

// Memory without values for matrices of these parts. All in three pieces, without gaps.
std::vector<Nf4Matrix> empty_nf4(DeviceContext& ctx, const std::vector<Box>& boxes,
                                 MemoryCategory category);

// x (around.rows, around.cols) are the weight's values in `around`, the tiles of to.box, whole. A
// NaN or an infinity makes its whole tile NaN.
void quantize_nf4(DeviceContext& ctx, const Tensor& x, const Box& around, const Nf4Matrix& to);

// out (rows, cols) of from.box: level times scale, rounded once.
void dequantize_nf4(DeviceContext& ctx, const Nf4Matrix& from, const Tensor& out);

namespace detail {
Nf4View view_of(const Nf4Matrix& x);
template <Device D>
void quantize_nf4(DeviceContext& ctx, const Tensor& x, const Box& around, const Nf4Matrix& to);
template <Device D>
void dequantize_nf4(DeviceContext& ctx, const Nf4Matrix& from, const Tensor& out);
}  // namespace detail

}  // namespace argosy::ops
