// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/nf4.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {
namespace {

bool contains(const Box& around, const Box& box) {
  return intersect(around, box) == box;
}

// Where `around` ends, the weight may too, within a tile: only its beginning can be told.
bool begins_with_tiles(const Box& around) {
  return around.rows.begin % kNf4TileRows == 0 && around.cols.begin % kNf4TileCols == 0;
}

void check_matrix(const Nf4Matrix& x) {
  const Box blocks = nf4_blocks(x.box), tiles = nf4_tiles(x.box);
  check_tensor("the levels", x.codes, {nf4_code_bytes(x.box)}, DType::uint8);
  check_tensor("the scales", x.scales, {blocks.rows.size(), blocks.cols.size()}, DType::uint8);
  check_tensor("the scales of tiles", x.tile_scales, {tiles.rows.size(), tiles.cols.size()},
               DType::fp32);
}

}  // namespace

std::vector<Nf4Matrix> empty_nf4(DeviceContext& ctx, const std::vector<Box>& boxes,
                                 MemoryCategory category) {
  int64_t num_codes = 0, num_scales = 0, num_tiles = 0;
  for (const Box& box : boxes) {
    num_codes += nf4_code_bytes(box);
    num_scales += nf4_blocks(box).size();
    num_tiles += nf4_tiles(box).size();
  }
  const Tensor codes = ctx.zeros({num_codes}, DType::uint8, category),
               scales = ctx.zeros({num_scales}, DType::uint8, category),
               tile_scales = ctx.zeros({num_tiles}, DType::fp32, category);
  std::vector<Nf4Matrix> matrices;
  matrices.reserve(boxes.size());
  int64_t code = 0, scale = 0, tile = 0;
  const auto next = [](const Tensor& all, int64_t& begin, Shape shape) {
    begin += shape.size();
    return all.flat(begin - shape.size(), begin, shape);
  };
  for (const Box& box : boxes) {
    const Box blocks = nf4_blocks(box), tiles = nf4_tiles(box);
    matrices.push_back({box, next(codes, code, {nf4_code_bytes(box)}),
                        next(scales, scale, {blocks.rows.size(), blocks.cols.size()}),
                        next(tile_scales, tile, {tiles.rows.size(), tiles.cols.size()})});
  }
  return matrices;
}

Nf4View detail::view_of(const Nf4Matrix& x) {
  return {place_of(x.box), x.codes.data<uint8_t>(), x.scales.data<uint8_t>(),
          x.tile_scales.data<float>()};
}

void quantize_nf4(DeviceContext& ctx, const Tensor& x, const Box& around, const Nf4Matrix& to) {
  check_shape("the values", x, {around.rows.size(), around.cols.size()});
  CHECK(contains(around, to.box) && begins_with_tiles(around), "values of another part");
  check_matrix(to);
  if (to.box.empty()) return;
  dispatch_device(ctx.device(), [&]<Device D>() { detail::quantize_nf4<D>(ctx, x, around, to); });
}

void dequantize_nf4(DeviceContext& ctx, const Nf4Matrix& from, const Tensor& out) {
  check_shape("the values", out, {from.box.rows.size(), from.box.cols.size()});
  check_matrix(from);
  if (from.box.empty()) return;
  dispatch_device(ctx.device(), [&]<Device D>() { detail::dequantize_nf4<D>(ctx, from, out); });
}

}  // namespace argosy::ops
