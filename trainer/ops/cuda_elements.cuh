// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Element by element work. An Op is a struct of pointers with
//   template <int kSize> __device__ void run(int64_t i) const;
// that does elements [i, i + kSize): 16 bytes of the narrowest type at a time, one by one at the
// end and where memory is not aligned.
#pragma once

#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"

namespace argosy::ops {

// Elements below `wide` are done kSize at a time.
template <int kSize, typename Op>
__global__ void elements_kernel(Op op, int64_t wide, int64_t size) {
  for (int64_t i = thread_of_grid() * kSize; i < wide; i += threads_of_grid() * kSize) {
    op.template run<kSize>(i);
  }
  for (int64_t i = wide + thread_of_grid(); i < size; i += threads_of_grid()) {
    op.template run<1>(i);
  }
}

template <int kSize, typename Op>
void for_elements(const CudaDevice& device, const char* name, int64_t size, bool aligned,
                  const Op& op) {
  constexpr int kThreads = 256;
  const int64_t wide = aligned ? size / kSize * kSize : 0;
  const int64_t tasks = std::max(wide / kSize, size - wide);
  launch(device, name, elements_kernel<kSize, Op>,
         {striding_blocks(device, ceil_div(tasks, kThreads), kThreads), kThreads}, op, wide, size);
}

}  // namespace argosy::ops
