// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "tests/trainer/ops/cuda/twin.h"
#include "trainer/ops/nf4.h"

namespace argosy {
namespace {

using ops::Nf4Matrix;

// Whole tiles and packs; parts that cut blocks, tiles, packs and bytes.
const std::vector<Box> kParts = {{{0, 64}, {0, 256}}, {{0, 130}, {0, 512}}, {{5, 70}, {64, 320}},
                                 {{0, 7}, {0, 41}},   {{3, 8}, {61, 300}},  {{60, 70}, {250, 258}},
                                 {{0, 3}, {8, 24}},   {{1, 2}, {1, 2}},     {{4, 4}, {0, 64}}};

class Nf4Cuda : public CudaOpTest {
 protected:
  // Numbers from 0 to 255.
  Values bytes(int64_t size, uint32_t seed) {
    Values values = random_values(size, seed);
    for (double& x : values) x = std::floor(std::fmod(std::abs(x) * 1000, 256));
    return values;
  }
  static Shape shape_of(const Box& box) { return {box.rows.size(), box.cols.size()}; }
};

TEST_F(Nf4Cuda, Dequantizes) {
  for (const DType dtype : kCudaDTypes) {
    for (const Box& box : kParts) {
      for (const int64_t begin : {0, 1}) {
        offset = begin;
        const Box blocks = nf4_blocks(box), tiles = nf4_tiles(box);
        const Twin &codes =
                       operand({nf4_code_bytes(box)}, DType::uint8, bytes(nf4_code_bytes(box), 1)),
                   &scales = operand(shape_of(blocks), DType::uint8, bytes(blocks.size(), 2)),
                   &tile_scales = operand(shape_of(tiles), DType::fp32),
                   &out = result(shape_of(box), dtype);
        expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
          ops::dequantize_nf4(ctx, {box, of(codes), of(scales), of(tile_scales)}, of(out));
        });
      }
    }
  }
}

TEST_F(Nf4Cuda, QuantizesToTheSameBits) {
  constexpr int64_t kRows = 131, kCols = 513;
  for (const DType dtype : kCudaDTypes) {
    for (const Box& box : kParts) {
      const Box around = nf4_tiles_around(box, kRows, kCols), blocks = nf4_blocks(box),
                tiles = nf4_tiles(box);
      const auto zeros = [&](Shape shape, DType of) -> const Twin& {
        return changed(shape, of, Values(static_cast<size_t>(shape.size()), 0.0));
      };
      const Twin &x = operand(shape_of(around), dtype),
                 &codes = zeros({nf4_code_bytes(box)}, DType::uint8),
                 &scales = zeros(shape_of(blocks), DType::uint8),
                 &tile_scales = zeros(shape_of(tiles), DType::fp32);
      expect_twins_agree([&](DeviceContext& ctx, const auto& of) {
        ops::quantize_nf4(ctx, of(x), around, {box, of(codes), of(scales), of(tile_scales)});
      });
    }
  }
}

// A broken weight reaches the loss.
TEST_F(Nf4Cuda, NanStays) {
  const Box box = {{0, 1}, {0, 300}};
  Values values = random_values(300, 1);
  values[100] = std::nan("");
  const Nf4Matrix matrix = ops::empty_nf4(*cuda, {box}, MemoryCategory::buffers).front();
  const Tensor x = cuda->empty({1, 300}, DType::fp32, MemoryCategory::buffers),
               out = cuda->empty({1, 300}, DType::fp32, MemoryCategory::buffers);
  const Tensor host = make(cpu, {1, 300}, DType::fp32, values);
  cuda->backend().upload(host.raw(), x.raw(), x.bytes());
  ops::quantize_nf4(*cuda, x, box, matrix);
  ops::dequantize_nf4(*cuda, matrix, out);
  cuda->backend().download(out.raw(), host.raw(), out.bytes());
  EXPECT_TRUE(std::isnan(values_of(host)[100]));
  EXPECT_FALSE(std::isnan(values_of(host)[299]));
}

}  // namespace
}  // namespace argosy
