// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Products of experts. Large groups fill a GPU one by one: each is a product of cuBLASLt. Small
// ones do not: our own kernel does all of them at once, a block a tile of any group. No padding,
// and nothing but the counts of rows, which the host knows. cuBLAS's own grouped product
// (cublasGemmGroupedBatchedEx, 13.1) has no bf16 into fp32, which main gradients are.
#include <cuda_tensor_cores.h>

#include "trainer/ops/cublaslt_product.h"
#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"
#include "trainer/ops/cuda_matmul.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/grouped_matmul.h"

namespace argosy::ops::detail {
namespace {

constexpr int kTile = 128;     // rows and columns of c that a block computes
constexpr int kDepth = 32;     // of the sum at a time
constexpr int kStages = 4;     // of them in shared memory or on their way there
constexpr int kThreads = 256;  // 2 x 4 warps of 64 x 32
constexpr int kWarpRows = 64, kWarpCols = 32;
constexpr int kChunk = 8;  // elements of 16 bytes
// Rows of shared memory are longer by a chunk, so that 8 of them lie in different banks.
constexpr int kFlatRow = kDepth + kChunk, kTurnedRow = kTile + kChunk;
constexpr int kOperandElements = kTile * kFlatRow;  // a stage of one operand: the larger layout
constexpr int64_t kSharedBytes = int64_t{2} * kStages * kOperandElements * 2;
constexpr int kMostGroups = 64;  // of a launch: they are a parameter, at most 4 KiB

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

int tiles_of(int64_t size) {
  return static_cast<int>(ceil_div(size, int64_t{kTile}));
}
int tiles_of(const Product& p) {
  return tiles_of(p.m) * tiles_of(p.n);
}

template <bool kTurnedA, bool kTurnedB>
void launch_groups(const CudaDevice& device, const Groups& all, int tiles, DType result) {
  const Grid grid{blocks_of(tiles), kThreads, kSharedBytes};
  dispatch_cuda(result, [&]<typename C>() {
    launch(device, "grouped_matmul", grouped_kernel<kTurnedA, kTurnedB, C>, grid, all);
  });
}

void run_own(DeviceContext& ctx, const std::vector<GroupProduct>& groups,
             const MatmulOptions& options) {
  const Product& first = groups.front().product;
  const bool is_turned = first.transpose_a;
  for (size_t begin = 0; begin < groups.size(); begin += kMostGroups) {
    Groups all = {};
    all.m = is_turned ? static_cast<int>(first.m) : 0;
    all.n = static_cast<int>(first.n);
    all.k = is_turned ? 0 : static_cast<int>(first.k);
    all.alpha = static_cast<float>(options.alpha);
    all.accumulate = options.accumulate;
    int tiles = 0;
    for (size_t g = begin; g < std::min(groups.size(), begin + kMostGroups); ++g) {
      const auto& [p, a, b, c] = groups[g];
      if (tiles_of(p) == 0) continue;
      all.groups[all.count++] = {a.data<bfloat16>(), b.data<bfloat16>(), c.raw(),
                                 static_cast<int>(is_turned ? p.k : p.m), tiles};
      tiles += tiles_of(p);
    }
    const CudaDevice& device = cuda_of(ctx);
    const DType result = groups.front().c.dtype();
    if (is_turned) {
      launch_groups<true, true>(device, all, tiles, result);
    } else if (first.transpose_b) {
      launch_groups<false, false>(device, all, tiles, result);
    } else {
      launch_groups<false, true>(device, all, tiles, result);
    }
  }
}

void run_library(DeviceContext& ctx, const std::vector<GroupProduct>& groups,
                 const MatmulOptions& options) {
  for (const auto& [p, a, b, c] : groups) {
    const bool is_plain =
        a.dtype() == DType::bf16 && b.dtype() == DType::bf16 && p.m > 0 && p.n > 0 && p.k > 0;
    if (!is_plain) {
      matmul<Device::cuda>(ctx, p, a, b, c, options);
      continue;
    }
    run_product(ctx, {.sizes = p,
                      .a = {a.raw(), MatrixType::bf16},
                      .b = {b.raw(), MatrixType::bf16},
                      .c = c.raw(),
                      .result = matrix_type(c.dtype()),
                      .alpha = options.alpha,
                      .accumulate = options.accumulate,
                      .is_ragged = true});
  }
}

// Rows of all matrices are whole chunks, and begin at one.
bool takes_own(const std::vector<GroupProduct>& groups) {
  for (const auto& [p, a, b, c] : groups) {
    if (a.dtype() != DType::bf16 || b.dtype() != DType::bf16 || a.dim(1) % kChunk != 0 ||
        b.dim(1) % kChunk != 0 || c.dim(1) % kChunk != 0 ||
        !are_aligned(a.raw(), b.raw(), c.raw())) {
      return false;
    }
  }
  return true;
}

// Rounds of tiles, one at a time on each multiprocessor: the library begins a round for each group,
// our kernel one for all.
bool is_own_faster(const CudaDevice& device, const std::vector<GroupProduct>& groups) {
  // Of a tile of ours against the library's. Hopper's own matrix instructions have about 1.6 times
  // the rate of those that we use (arXiv 2402.13499, table of mma and wgmma); on the GPUs before it
  // the library uses the same. To be measured.
  const double tile_cost = device.facts().compute_capability >= 90 ? 1.7 : 1.2;
  const auto multiprocessors = static_cast<int64_t>(device.facts().num_multiprocessors);
  int64_t tiles = 0, library_rounds = 0;
  for (const GroupProduct& group : groups) {
    tiles += tiles_of(group.product);
    library_rounds += ceil_div(int64_t{tiles_of(group.product)}, multiprocessors);
  }
  return tile_cost * static_cast<double>(ceil_div(tiles, multiprocessors)) <
         static_cast<double>(library_rounds);
}

}  // namespace

template <>
void grouped_matmul<Device::cuda>(DeviceContext& ctx, const std::vector<GroupProduct>& groups,
                                  const MatmulOptions& options) {
  CudaDevice& device = cuda_of(ctx);
  const GroupedKernel policy = device.state<CudaMatmulPolicy>().grouped;
  const bool is_own = policy != GroupedKernel::library && takes_own(groups) &&
                      (policy == GroupedKernel::own || is_own_faster(device, groups));
  if (is_own) {
    run_own(ctx, groups, options);
  } else {
    run_library(ctx, groups, options);
  }
}

}  // namespace argosy::ops::detail
