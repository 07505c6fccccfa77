// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Sums over rows without atomics: parts of the rows first, then over the parts in order. Which rows
// are a part follows from the shape alone.
#pragma once

#include "planner/spec/types.h"
#include "trainer/device/device_context.h"
#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"

namespace argosy::ops {

// sums (cols) += partials (parts, cols), part after part. A block has kWarp columns; each of its
// warps sums a run of parts, then the runs are added in order.
inline constexpr int kPartialThreads = 256;
template <typename Unused>  // a template: the header may be included by many
__global__ void add_partials_kernel(const float* partials, int64_t parts, int64_t cols,
                                    float* sums) {
  constexpr int kWarps = kPartialThreads / kWarp;
  float* runs = shared_memory<float>();  // (kWarps, kWarp)
  const int64_t col = static_cast<int64_t>(blockIdx.x) * kWarp + lane_of_thread();
  const int64_t length = (parts + kWarps - 1) / kWarps;
  const int64_t begin = warp_of_thread() * length, end = min(parts, begin + length);
  float sum = 0;
  if (col < cols) {
    for (int64_t part = begin; part < end; ++part) sum += partials[part * cols + col];
  }
  runs[threadIdx.x] = sum;
  __syncthreads();
  if (warp_of_thread() != 0 || col >= cols) return;
  for (int run = 1; run < kWarps; ++run) sum += runs[run * kWarp + lane_of_thread()];
  sums[col] += sum;
}

inline void add_partials(const CudaDevice& device, const Tensor& partials, const Tensor& sums) {
  const int64_t parts = partials.dim(0), cols = partials.dim(1);
  if (parts == 0) return;
  launch(device, "add_partials", add_partials_kernel<void>,
         {blocks_of(ceil_div(cols, kWarp)), kPartialThreads,
          kPartialThreads * static_cast<int64_t>(sizeof(float))},
         partials.data<float>(), parts, cols, sums.data<float>());
}

}  // namespace argosy::ops
