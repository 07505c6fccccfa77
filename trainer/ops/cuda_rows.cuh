// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rows moved as they are, 16 bytes at a time where their length and place allow.
#pragma once

#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"

namespace argosy::ops {

// From where and to where a row goes; from < 0: zeros, to < 0: nowhere.
struct RowMove {
  int64_t from, to;
};

// A block has a row at a time. Moves is a struct with __device__ RowMove operator()(int64_t) const.
inline constexpr int kRowThreads = 128;
template <typename Unit, typename Moves>
__global__ void move_rows_kernel(const Unit* from, Unit* to, int64_t rows, int64_t units,
                                 Moves moves) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const RowMove move = moves(row);
    if (move.to < 0) continue;
    for (int64_t i = threadIdx.x; i < units; i += kRowThreads) {
      to[move.to * units + i] = move.from < 0 ? Unit{} : from[move.from * units + i];
    }
  }
}

// The `rows` moves of rows of `row_bytes` from tensor to tensor.
template <typename Moves>
void move_rows(const char* name, const Tensor& from, const Tensor& to, int64_t rows,
               int64_t row_bytes, const Moves& moves) {
  const CudaDevice& device = cuda_of(to);
  const auto run = [&]<typename Unit>() {
    launch(device, name, move_rows_kernel<Unit, Moves>,
           {striding_blocks(device, rows, kRowThreads), kRowThreads}, from.data<Unit>(),
           to.data<Unit>(), rows, row_bytes / static_cast<int64_t>(sizeof(Unit)), moves);
  };
  if (row_bytes % kVectorBytes == 0 && are_aligned(from.raw(), to.raw())) {
    run.template operator()<uint4>();
  } else if (size_in_bytes(to.dtype()) == sizeof(uint16_t)) {
    run.template operator()<uint16_t>();
  } else {
    CHECK(size_in_bytes(to.dtype()) == sizeof(uint32_t), "rows of ", to_string(to.dtype()));
    run.template operator()<uint32_t>();
  }
}

}  // namespace argosy::ops
