// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Rows by warps: moved as they are, or scaled and multiplied with others, 16 bytes at a time where
// their length and place allow.
#pragma once

#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"

namespace argosy::ops {

// From where and to where a row goes; from < 0: zeros, to < 0: nowhere.
struct RowMove {
  int64_t from, to;
};

// Rows that indices choose belong to warps: many are on their way at a time, each with as many
// loads of a lane as one loop takes before it waits for the first.
inline constexpr int kRowThreads = 256, kRowWarps = kRowThreads / kWarp;
inline constexpr int kRowLoads = 4;
__device__ inline int64_t first_row_of_warp() {
  return static_cast<int64_t>(blockIdx.x) * kRowWarps + warp_of_thread();
}
__device__ inline int64_t row_warps_of_grid() {
  return static_cast<int64_t>(gridDim.x) * kRowWarps;
}
inline dim3 row_blocks(const CudaDevice& device, int64_t rows) {
  return striding_blocks(device, ceil_div(rows, kRowWarps), kRowThreads);
}

// Stores factor * grads at `to`; the sum of grads * values.
template <typename T, int kSize>
__device__ float dot_and_scale(const Raw<T, kSize>& grads, const Raw<T, kSize>& values,
                               float factor, T* to) {
  float grad[kSize], value[kSize];
  unpack(grads, grad);
  unpack(values, value);
  float dot = 0;
#pragma unroll
  for (int i = 0; i < kSize; ++i) {
    dot += grad[i] * value[i];
    grad[i] *= factor;
  }
  store(to, grad);
  return dot;
}

// to = factor * grads over a row; the sum over the row of grads * values, for each lane of the
// warp.
template <int kSize, typename T>
__device__ float scale_and_dot_row(const T* __restrict__ grads, const T* __restrict__ values,
                                   float factor, int64_t cols, T* __restrict__ to) {
  constexpr int kLoads = kRowLoads / 2;  // of either
  constexpr int64_t kStep = kWarp * kSize;
  float dot = 0;
  for (int64_t c = lane_of_thread() * kSize; c < cols; c += kLoads * kStep) {
    Raw<T, kSize> raw_grads[kLoads] = {}, raw_values[kLoads] = {};
#pragma unroll
    for (int j = 0; j < kLoads; ++j) {
      if (c + j * kStep >= cols) continue;
      raw_grads[j] = load_raw<kSize>(grads + c + j * kStep);
      raw_values[j] = load_raw<kSize>(values + c + j * kStep);
    }
#pragma unroll
    for (int j = 0; j < kLoads; ++j)
      if (c + j * kStep < cols)
        dot += dot_and_scale(raw_grads[j], raw_values[j], factor, to + c + j * kStep);
  }
  return warp_sum(dot);
}

// Moves is a struct with __device__ RowMove operator()(int64_t) const.
template <typename Unit, typename Moves>
__global__ void __launch_bounds__(kRowThreads)
    move_rows_kernel(const Unit* __restrict__ from, Unit* __restrict__ to, int64_t rows,
                     int64_t units, Moves moves) {
  for (int64_t row = first_row_of_warp(); row < rows; row += row_warps_of_grid()) {
    const RowMove move = moves(row);
    if (move.to < 0) continue;
    for (int64_t begin = lane_of_thread(); begin < units; begin += kRowLoads * kWarp) {
      Unit values[kRowLoads];
#pragma unroll
      for (int j = 0; j < kRowLoads; ++j) {
        values[j] = Unit{};
        if (move.from >= 0 && begin + j * kWarp < units)
          values[j] = from[move.from * units + begin + j * kWarp];
      }
#pragma unroll
      for (int j = 0; j < kRowLoads; ++j)
        if (begin + j * kWarp < units) to[move.to * units + begin + j * kWarp] = values[j];
    }
  }
}

// The `rows` moves of rows of `row_bytes` from tensor to tensor.
template <typename Moves>
void move_rows(const char* name, const Tensor& from, const Tensor& to, int64_t rows,
               int64_t row_bytes, const Moves& moves) {
  const CudaDevice& device = cuda_of(to);
  const auto run = [&]<typename Unit>() {
    launch(device, name, move_rows_kernel<Unit, Moves>, {row_blocks(device, rows), kRowThreads},
           from.data<Unit>(), to.data<Unit>(), rows, row_bytes / static_cast<int64_t>(sizeof(Unit)),
           moves);
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
