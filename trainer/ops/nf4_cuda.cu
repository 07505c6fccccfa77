// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Scales first, a block of threads a tile; then levels, a thread a byte. Back, a thread makes as
// many neighbours as 16 bytes hold, whose levels are one access too, and neighbouring threads
// neighbouring ones. The 16 levels are in shared memory, each in a bank of its own: no two lanes
// wait for each other.
#include <limits>

#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"
#include "trainer/ops/nf4.h"

namespace argosy::ops::detail {
namespace {

constexpr int kThreads = 256;
constexpr int kTileThreads = static_cast<int>(kNf4TileRows * kNf4TileBlocks);  // one a block
static_assert(kTileThreads == kThreads);

// Values around a part: (rows, cols), of which the first is the weight's (row_begin, col_begin).
template <typename T>
struct Around {
  const T* values;
  int64_t row_begin, col_begin, rows, cols;
};

// The part: rows of the weight it has, and what its scales become.
struct Scales {
  Nf4Place place;
  int64_t row_end;
  uint8_t* scales;
  float* tile_scales;
};

template <typename T>
__device__ float largest_of_block(const Around<T>& x, int64_t row, int64_t block) {
  float largest = 0;
  if (row >= x.row_begin + x.rows) return largest;
  const int64_t begin = block * kNf4Block - x.col_begin, end = min(begin + kNf4Block, x.cols);
  const T* values = x.values + (row - x.row_begin) * x.cols;
  for (int64_t c = begin; c < end; ++c) largest = larger(largest, magnitude(to_float(values[c])));
  return largest;
}

// Block (x, y) of the grid is the x-th column and y-th row of tiles; its thread i is block i % 4 of
// row i / 4.
template <typename T>
__global__ void scales_kernel(Around<T> x, Scales to) {
  const int64_t tile_row = to.place.first_tile_row + blockIdx.y,
                tile_col = to.place.first_tile_col + blockIdx.x;
  const int64_t row = tile_row * kNf4TileRows + threadIdx.x / kNf4TileBlocks,
                block = tile_col * kNf4TileBlocks + threadIdx.x % kNf4TileBlocks;
  const float largest = largest_of_block(x, row, block);
  float* maxima = shared_memory<float>();
  maxima[threadIdx.x] = largest;
  __syncthreads();
  for (int half = kTileThreads / 2; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half)
      maxima[threadIdx.x] = larger(maxima[threadIdx.x], maxima[threadIdx.x + half]);
    __syncthreads();
  }
  const float of_tile = maxima[0];
  if (threadIdx.x == 0) {
    to.tile_scales[static_cast<int64_t>(blockIdx.y) * to.place.num_tile_cols + blockIdx.x] =
        of_tile;
  }
  const bool is_mine = row >= to.place.row_begin && row < to.row_end &&
                       block >= to.place.first_block &&
                       block < to.place.first_block + to.place.num_blocks;
  if (!is_mine) return;
  to.scales[to.place.scale_at(row - to.place.row_begin, block)] = nf4_scale_code(largest, of_tile);
}

template <typename T>
__global__ void codes_kernel(Around<T> x, Nf4View view, int64_t size, uint8_t* codes) {
  const Nf4Place& place = view.place;
  for (int64_t byte = thread_of_grid(); byte < (size + 1) / 2; byte += threads_of_grid()) {
    int two = 0;
    for (int64_t i = 2 * byte; i < min(2 * byte + 2, size); ++i) {
      const int64_t r = i / place.cols, c = i % place.cols;
      const int64_t at =
          (place.row_begin + r - x.row_begin) * x.cols + place.col_begin + c - x.col_begin;
      const float scale = view.scale(r, place.block_of(c));
      two |= nf4_code(to_float(x.values[at]) / scale) << (i % 2 * 4);
    }
    codes[byte] = static_cast<uint8_t>(two);
  }
}

__device__ inline void load_codes(const uint8_t* codes, uint8_t (&bytes)[4]) {
  const unsigned word = *reinterpret_cast<const unsigned*>(codes);
#pragma unroll
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<uint8_t>(word >> 8 * i);
}
__device__ inline void load_codes(const uint8_t* codes, uint8_t (&bytes)[2]) {
  const auto word = *reinterpret_cast<const unsigned short*>(codes);
  bytes[0] = static_cast<uint8_t>(word), bytes[1] = static_cast<uint8_t>(word >> 8);
}

// kSize elements at a time, which are of one block. Counted in 32 bits: a division of 64 takes as
// long as the memory for what it finds.
template <int kSize, typename T>
__global__ void widen_kernel(Nf4View view, unsigned packs, T* out) {
  float* levels = shared_memory<float>();
  if (threadIdx.x < kNf4Levels) levels[threadIdx.x] = nf4_level(static_cast<int>(threadIdx.x));
  __syncthreads();
  const auto packs_of_row = static_cast<unsigned>(view.place.cols / kSize);
  for (int64_t pack = thread_of_grid(); pack < packs; pack += threads_of_grid()) {
    const unsigned r = static_cast<unsigned>(pack) / packs_of_row;
    const int64_t i = pack * kSize, c = i - int64_t{r} * view.place.cols;
    const float scale = view.scale(r, view.place.block_of(c));
    float values[kSize];
    if constexpr (kSize == 1) {
      values[0] = levels[view.code(i)] * scale;
    } else {
      uint8_t bytes[kSize / 2];
      load_codes(view.codes + i / 2, bytes);
#pragma unroll
      for (int j = 0; j < kSize / 2; ++j) {
        values[2 * j] = levels[bytes[j] & (kNf4Levels - 1)] * scale;
        values[2 * j + 1] = levels[bytes[j] >> 4] * scale;
      }
    }
    store(out + i, values);
  }
}

template <int kSize, typename T>
void widen(const CudaDevice& device, const Nf4View& view, const Tensor& out) {
  const int64_t packs = out.size() / kSize;  // rows are whole packs
  CHECK(packs <= std::numeric_limits<unsigned>::max(), "a weight of ", out.size(), " elements");
  launch(device, "nf4_widen", widen_kernel<kSize, T>,
         {striding_blocks(device, ceil_div(packs, int64_t{kThreads}), kThreads), kThreads,
          kNf4Levels * static_cast<int64_t>(sizeof(float))},
         view, static_cast<unsigned>(packs), out.data<T>());
}

}  // namespace

template <>
void quantize_nf4<Device::cuda>(DeviceContext& ctx, const Tensor& x, const Box& around,
                                const Nf4Matrix& to) {
  const CudaDevice& device = cuda_of(ctx);
  const Nf4View view = view_of(to);
  const Box tiles = nf4_tiles(to.box);
  const int64_t size = to.box.size();
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    const Around<T> values{x.data<T>(), around.rows.begin, around.cols.begin, around.rows.size(),
                           around.cols.size()};
    const Scales scales{view.place, to.box.rows.end, to.scales.data<uint8_t>(),
                        to.tile_scales.data<float>()};
    launch(device, "nf4_scales", scales_kernel<T>,
           {blocks_of(tiles.cols.size(), tiles.rows.size()), kTileThreads,
            kTileThreads * static_cast<int64_t>(sizeof(float))},
           values, scales);
    launch(device, "nf4_codes", codes_kernel<T>,
           {striding_blocks(device, ceil_div(nf4_code_bytes(to.box), int64_t{kThreads}), kThreads),
            kThreads},
           values, view, size, to.codes.data<uint8_t>());
  });
}

template <>
void dequantize_nf4<Device::cuda>(DeviceContext& ctx, const Nf4Matrix& from, const Tensor& out) {
  const CudaDevice& device = cuda_of(ctx);
  const Nf4View view = view_of(from);
  dispatch_cuda(out.dtype(), [&]<typename T>() {
    constexpr int kSize = kPack<T>;
    const bool is_whole = view.place.cols % kSize == 0 && view.place.col_begin % kSize == 0;
    if (is_whole && are_aligned(out.raw(), from.codes.raw())) {
      widen<kSize, T>(device, view, out);
    } else {
      widen<1, T>(device, view, out);
    }
  });
}

}  // namespace argosy::ops::detail
