// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How the norms' rows lie over threads. A row belongs to a warp or to a block, which keeps it in
// registers from the first look to the last: memory is read once.
#pragma once

#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"

namespace argosy::ops::detail {

// A row of up to 4 packs a lane has a warp, a longer one a block; a thread has `packs` packs.
struct RowLayout {
  bool is_of_warp;
  int threads, packs;
  int rows_of_block() const { return is_of_warp ? threads / kWarp : 1; }
};

inline constexpr int kWarpRowThreads = 256;  // of a block of rows of a warp each
inline constexpr int kMostWarpPacks = 4;
inline constexpr int kMostThreads = 1024, kMostPacks = 16;  // of a row of a block
template <bool kOfWarp>
inline constexpr int kThreadBound = kOfWarp ? kWarpRowThreads : kMostThreads;

inline RowLayout layout_of(int64_t cols, int size) {
  const int64_t packs = ceil_div(cols, size);
  if (packs <= kMostWarpPacks * kWarp)
    return {true, kWarpRowThreads, static_cast<int>(ceil_div(packs, kWarp))};
  if (packs <= kMostThreads) return {false, static_cast<int>(round_up(packs, kWarp)), 1};
  int per_thread = 2;
  while (per_thread * kMostThreads < packs) per_thread *= 2;
  if (per_thread > kMostPacks) {
    throw ConfigError(concat("a norm over ", cols, " columns: --device cuda takes up to ",
                             kMostThreads * kMostPacks * size,
                             " (more if they are a multiple of 8)"));
  }
  return {false, kMostThreads, per_thread};
}

// The threads of a row, as one of them sees them.
template <bool kOfWarp>
struct RowThreads {
  static __device__ int count() { return kOfWarp ? kWarp : static_cast<int>(blockDim.x); }
  static __device__ int index() {
    return kOfWarp ? lane_of_thread() : static_cast<int>(threadIdx.x);
  }
  // Rows of the grid go round.
  static __device__ int64_t first_row() {
    return kOfWarp ? thread_of_grid() / kWarp : static_cast<int64_t>(blockIdx.x);
  }
  static __device__ int64_t rows_at_once() {
    return kOfWarp ? threads_of_grid() / kWarp : static_cast<int64_t>(gridDim.x);
  }
  // First column of pack p of this thread.
  template <int kSize>
  static __device__ int64_t column(int p) {
    return (static_cast<int64_t>(p) * count() + index()) * kSize;
  }
  // Sums over the threads of a row, the same bits for each. scratch: kCount * kWarp floats of
  // shared memory, for rows of a block.
  template <int kCount>
  static __device__ void sum(float (&values)[kCount], float* scratch) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) values[i] = warp_sum(values[i]);
    if constexpr (!kOfWarp) {
      const int warps = count() / kWarp;
#pragma unroll
      for (int i = 0; i < kCount; ++i)
        if (lane_of_thread() == 0) scratch[i * kWarp + warp_of_thread()] = values[i];
      __syncthreads();
#pragma unroll
      for (int i = 0; i < kCount; ++i)
        values[i] = warp_sum(lane_of_thread() < warps ? scratch[i * kWarp + lane_of_thread()] : 0);
      __syncthreads();  // scratch may be used again
    }
  }
  static __device__ float sum(float value, float* scratch) {
    float values[1] = {value};
    sum(values, scratch);
    return values[0];
  }
};

// Calls body.template operator()<kSize, kPacks, kOfWarp>(layout) for rows of `cols` elements.
template <typename T, typename Body>
void with_row_layout(int64_t cols, bool aligned, const Body& body) {
  const auto with_size = [&]<int kSize>() {
    const RowLayout layout = layout_of(cols, kSize);
    if (layout.is_of_warp) {
      if (layout.packs == 1) return body.template operator()<kSize, 1, true>(layout);
      if constexpr (kSize > 1) {  // else there is little to win
        if (layout.packs == 2) return body.template operator()<kSize, 2, true>(layout);
        if (layout.packs == 3) return body.template operator()<kSize, 3, true>(layout);
      }
      return body.template operator()<kSize, kMostWarpPacks, true>(layout);
    }
    switch (layout.packs) {
      case 1:
        return body.template operator()<kSize, 1, false>(layout);
      case 2:
        return body.template operator()<kSize, 2, false>(layout);
      case 4:
        return body.template operator()<kSize, 4, false>(layout);
      default:
        // Register files are full: what does not fit lies in memory that the cache holds.
        return body.template operator()<kSize, kMostPacks, false>(layout);
    }
  };
  if (aligned && cols % kPack<T> == 0) {
    with_size.template operator()<kPack<T>>();
  } else {
    with_size.template operator()<1>();
  }
}

}  // namespace argosy::ops::detail
