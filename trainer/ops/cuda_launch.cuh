// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The host's side of a CUDA op: starting kernels on the stream of the tensors' device, and the
// types that run there. Included by *_cuda.cu only. Where there is no GPU the same sources are
// compiled as C++ on an emulation of CUDA (tests/support/cuda_emulation), so no file here asks what
// compiles it.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "planner/spec/bfloat16.h"
#include "planner/spec/check.h"
#include "planner/spec/integers.h"
#include "trainer/device/cuda_check.h"
#include "trainer/device/cuda_device.h"
#include "trainer/tensor.h"

namespace argosy::ops {

inline void refuse_fp64(DType dtype) {
  if (dtype == DType::fp64) {
    throw ConfigError(
        "--precision fp64 is for proofs on --device cpu; --device cuda computes in fp32 and bf16");
  }
}

// Calls body.template operator()<T>() with float or bfloat16: statistics, sums and everything in
// between are fp32 on CUDA.
template <typename Body>
decltype(auto) dispatch_cuda(DType dtype, Body&& body) {
  refuse_fp64(dtype);
  CHECK(dtype == DType::fp32 || dtype == DType::bf16, "not a floating dtype: ", to_string(dtype));
  if (dtype == DType::bf16) return body.template operator()<bfloat16>();
  return body.template operator()<float>();
}

// Widest access of a thread.
inline constexpr int64_t kVectorBytes = 16;

// Whether accesses of 16 bytes that begin at each of these are aligned.
template <typename... Pointers>
bool are_aligned(const Pointers*... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) % kVectorBytes == 0) && ...);
}

// Blocks and threads of a launch.
struct Grid {
  dim3 blocks;
  int threads = 256;
  int64_t shared_bytes = 0;
};

// The one place that starts a kernel. Nothing is started for no blocks: an empty operand.
template <typename... Parameters, typename... Arguments>
void launch(const CudaDevice& device, const char* name, void (*kernel)(Parameters...),
            const Grid& grid, Arguments&&... arguments) {
  if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
  constexpr int64_t kGrantedBytes = 48 * 1024;  // more shared memory a block must be asked for
  if (grid.shared_bytes > kGrantedBytes) {
    check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(grid.shared_bytes)),
               name);
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = grid.blocks;
  config.blockDim = dim3(static_cast<unsigned>(grid.threads));
  config.dynamicSmemBytes = static_cast<size_t>(grid.shared_bytes);
  config.stream = device.compute();
  check_cuda(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), name);
}

// Blocks that share `tasks` by walking the grid's stride: as many as fit on the device at once.
inline dim3 striding_blocks(const CudaDevice& device, int64_t tasks, int threads) {
  constexpr int64_t kThreadsPerMultiprocessor =
      2048;  // resident at most, compute capability 8.0 on
  const int64_t most = device.facts().num_multiprocessors * kThreadsPerMultiprocessor / threads;
  return dim3(static_cast<unsigned>(std::min(tasks, most)));
}

// One block a task.
inline dim3 blocks_of(int64_t x, int64_t y = 1, int64_t z = 1) {
  constexpr int64_t kMostRows = 65535, kMost = 0x7fffffff;
  CHECK(x <= kMost && y <= kMostRows && z <= kMostRows, "a grid of ", x, " x ", y, " x ", z);
  return dim3(static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z));
}

}  // namespace argosy::ops
