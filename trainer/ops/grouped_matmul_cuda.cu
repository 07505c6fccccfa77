// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Products of experts. Large groups fill a GPU one by one: each is a product of cuBLASLt. Small
// ones do not: our own kernel does all of them at once, a block a tile of any group. No padding,
// and nothing but the counts of rows, which the host knows.
#include "trainer/ops/cublaslt_product.h"
#include "trainer/ops/cuda_grouped_tiles.cuh"
#include "trainer/ops/cuda_launch.cuh"
#include "trainer/ops/cuda_matmul.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/grouped_matmul.h"

namespace argosy::ops::detail {
namespace {

using namespace grouped;  // NOLINT: the kernel is a part of this op

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
                      .ragged = p.transpose_a ? Ragged::k : Ragged::m});
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
