// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Our own kernel for groups of products of bf16: all of them in one launch, a block a tile of any
// group. Tiles of 128 x 128, mma.sync, copies of four stages on their way. Included by
// grouped_matmul_cuda.cu.
#pragma once

#include <cuda_tensor_cores.h>

#include "trainer/ops/cuda_kernel.cuh"

namespace argosy::ops::grouped {

inline constexpr int kTile = 128;     // rows and columns of c that a block computes
inline constexpr int kDepth = 32;     // of the sum at a time
inline constexpr int kStages = 4;     // of them in shared memory or on their way there
inline constexpr int kThreads = 256;  // 2 x 4 warps of 64 x 32
inline constexpr int kWarpRows = 64, kWarpCols = 32;
inline constexpr int kChunk = 8;  // elements of 16 bytes
// Rows of shared memory are longer by a chunk, so that 8 of them lie in different banks.
inline constexpr int kFlatRow = kDepth + kChunk, kTurnedRow = kTile + kChunk;
inline constexpr int kOperandElements =
    kTile * kFlatRow;  // a stage of one operand: the larger layout
inline constexpr int64_t kSharedBytes = int64_t{2} * kStages * kOperandElements * 2;
inline constexpr int kMostGroups = 64;  // of a launch: they are a parameter, at most 4 KiB

struct Group {
  const bfloat16 *a, *b;
  void* c;
  int rows;        // m, or k where a is turned
  int first_tile;  // in the order of the groups
};
struct Groups {
  Group groups[kMostGroups];
  int count, m, n, k;  // the sizes that all have; the ragged one is 0
  float alpha;
  bool accumulate;
};

// An operand's tile: `outer` of m or n from `first`, and kDepth of k. Stored (outer, k), or (k,
// outer) where it is turned.
template <bool kTurned>
struct Source {
  const bfloat16* data;
  int first, outer, k;

  // The tile's part of k that begins at `begin`; what lies outside of the matrix is 0.
  __device__ void load(bfloat16* to, int begin) const {
    constexpr int kChunks = (kTurned ? kTile : kDepth) / kChunk;  // of a row
    constexpr int kRows = kTurned ? kDepth : kTile, kRow = kTurned ? kTurnedRow : kFlatRow;
#pragma unroll
    for (int i = static_cast<int>(threadIdx.x); i < kRows * kChunks; i += kThreads) {
      const int row = i / kChunks, col = i % kChunks * kChunk;
      const int along_k = begin + (kTurned ? row : col),
                along_outer = first + (kTurned ? col : row);
      const bool is_there = along_k < k && along_outer < outer;
      const int64_t at =
          kTurned ? int64_t{along_k} * outer + along_outer : int64_t{along_outer} * k + along_k;
      copy_16_bytes(to + row * kRow + col, is_there ? data + at : data, is_there);
    }
  }
};

// Registers of 16 of m or n from `outer` and 16 of k from `depth`: of a the four parts of a tile,
// of b two pairs, which are the two tiles of 8 columns. kIsA says which of the middle two comes
// first.
template <bool kIsA, bool kTurned>
__device__ void load_operand(unsigned (&parts)[4], const bfloat16* tile, int outer, int depth) {
  const int lane = lane_of_thread(), low = lane % 8, bit = lane / 8 % 2 * 8, high = lane / 16 * 8;
  outer += kIsA ? (kTurned ? bit : low + bit) : (kTurned ? high : low + high);
  depth += kIsA ? (kTurned ? low + high : high) : (kTurned ? low + bit : bit);
  if constexpr (kTurned) {
    load_turned_matrices(parts, tile + depth * kTurnedRow + outer);
  } else {
    load_matrices(parts, tile + outer * kFlatRow + depth);
  }
}

// The sums of a warp: 4 x 4 tiles of 16 x 8.
struct Sums {
  float tiles[kWarpRows / 16][kWarpCols / 8][4];
};

template <bool kTurnedA, bool kTurnedB>
__device__ void add_stage(Sums& sums, const bfloat16* a, const bfloat16* b, int row, int col) {
#pragma unroll
  for (int depth = 0; depth < kDepth; depth += 16) {
    unsigned left[kWarpRows / 16][4], right[kWarpCols / 16][4];
#pragma unroll
    for (int i = 0; i < kWarpRows / 16; ++i)
      load_operand<true, kTurnedA>(left[i], a, row + 16 * i, depth);
#pragma unroll
    for (int j = 0; j < kWarpCols / 16; ++j)
      load_operand<false, kTurnedB>(right[j], b, col + 16 * j, depth);
#pragma unroll
    for (int i = 0; i < kWarpRows / 16; ++i) {
#pragma unroll
      for (int j = 0; j < kWarpCols / 8; ++j) {
        multiply_tiles(sums.tiles[i][j], left[i], right[j / 2][j % 2 * 2],
                       right[j / 2][j % 2 * 2 + 1]);
      }
    }
  }
}

template <typename C>
__device__ void write_pair(C* c, float x, float y, float alpha, bool accumulate) {
  x *= alpha, y *= alpha;
  if (accumulate) x += to_float(c[0]), y += to_float(c[1]);
  if constexpr (sizeof(C) == 2) {
    *reinterpret_cast<unsigned*>(c) = bf16_pair(x, y);
  } else {
    *reinterpret_cast<float2*>(c) = {x, y};
  }
}

template <typename C>
__device__ void write_sums(const Sums& sums, const Groups& all, C* c, int m, int row, int col) {
  row += lane_of_thread() / 4;
  col += lane_of_thread() % 4 * 2;
#pragma unroll
  for (int i = 0; i < kWarpRows / 16; ++i) {
#pragma unroll
    for (int j = 0; j < kWarpCols / 8; ++j) {
      const float(&four)[4] = sums.tiles[i][j];
      const int at_row = row + 16 * i, at_col = col + 8 * j;
      if (at_col >= all.n) continue;
      if (at_row < m)
        write_pair(c + int64_t{at_row} * all.n + at_col, four[0], four[1], all.alpha,
                   all.accumulate);
      if (at_row + 8 < m)
        write_pair(c + int64_t{at_row + 8} * all.n + at_col, four[2], four[3], all.alpha,
                   all.accumulate);
    }
  }
}

__device__ inline int group_of_tile(const Groups& all, int tile) {
  int low = 0, high = all.count;  // the last group that does not begin behind the tile
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (all.groups[middle].first_tile <= tile) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

// Neighbouring blocks share columns of b, an expert's weights.
template <bool kTurnedA, bool kTurnedB, typename C>
__global__ void __launch_bounds__(kThreads, 2) grouped_kernel(Groups all) {
  const Group group = all.groups[group_of_tile(all, static_cast<int>(blockIdx.x))];
  const int m = kTurnedA ? all.m : group.rows, k = kTurnedA ? group.rows : all.k;
  const int tiles_m = (m + kTile - 1) / kTile;
  const int tile = static_cast<int>(blockIdx.x) - group.first_tile;
  const Source<kTurnedA> a{group.a, tile % tiles_m * kTile, m, k};
  const Source<kTurnedB> b{group.b, tile / tiles_m * kTile, all.n, k};
  bfloat16* const shared = shared_memory<bfloat16>();
  const auto stage = [&](int i) { return shared + i % kStages * 2 * kOperandElements; };
  const int stages = (k + kDepth - 1) / kDepth;
  const auto load = [&](int i) {
    if (i < stages) {
      a.load(stage(i), i * kDepth);
      b.load(stage(i) + kOperandElements, i * kDepth);
    }
    commit_copies();  // empty at the end: the count of groups stays in step
  };
  const int row = warp_of_thread() / 4 * kWarpRows, col = warp_of_thread() % 4 * kWarpCols;
  Sums sums = {};
#pragma unroll
  for (int i = 0; i < kStages - 1; ++i) load(i);
  for (int i = 0; i < stages; ++i) {
    wait_for_copies<kStages - 2>();
    __syncthreads();  // stage i is there for all, and all are done with the one before
    load(i + kStages - 1);
    add_stage<kTurnedA, kTurnedB>(sums, stage(i), stage(i) + kOperandElements, row, col);
  }
  wait_for_copies<0>();
  write_sums(sums, all, static_cast<C*>(group.c), m, a.first + row, b.first + col);
}

}  // namespace argosy::ops::grouped
