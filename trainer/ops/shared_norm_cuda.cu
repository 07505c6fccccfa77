// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Sums over a row belong to a warp. Gradients go down the columns: a thread has a few of them in
// some of the rows, whose sums for the gain are added up behind (cuda_columns.cuh).
#include "trainer/ops/cuda_columns.cuh"
#include "trainer/ops/cuda_rows.cuh"
#include "trainer/ops/shared_norm.h"

namespace argosy::ops::detail {
namespace {

// sums = sum of x^2 or, with dy, of gain * dy * x * inv.
template <int kSize, bool kProjects, typename T>
__global__ void __launch_bounds__(kRowThreads)
    row_sums_kernel(const T* dy, const T* x, const T* gain, const float* inv, int64_t rows,
                    int64_t cols, float* sums) {
  for (int64_t row = first_row_of_warp(); row < rows; row += row_warps_of_grid()) {
    float sum = 0;
    for (int64_t c = lane_of_thread() * kSize; c < cols; c += kWarp * kSize) {
      float a[kSize], b[kSize], weight[kSize];
      load(x + row * cols + c, a);
      if constexpr (kProjects) {
        load(dy + row * cols + c, b);
        load(gain + c, weight);
      }
#pragma unroll
      for (int j = 0; j < kSize; ++j) sum += a[j] * (kProjects ? b[j] * weight[j] : a[j]);
    }
    sum = warp_sum(sum);
    if (lane_of_thread() == 0) sums[row] = kProjects ? sum * inv[row] : sum;
  }
}

template <typename Unused>
__global__ void inverse_rms_kernel(float* sums, int64_t size, float width, float eps) {
  for (int64_t i = thread_of_grid(); i < size; i += threads_of_grid())
    sums[i] = 1.0f / sqrtf(sums[i] / width + eps);
}

template <typename T>
struct GradientOperands {
  const T *dy, *x, *gain;
  const float *inv, *sums;
  T* dx;
  float* dgain;  // partial sums (parts, cols); null: not wanted
  int64_t rows, cols;
  float width;
};

constexpr int kColumnThreads = 128;

// Block (columns, part): rows part, part + parts, ...
template <int kSize, typename T>
__global__ void __launch_bounds__(kColumnThreads) shared_backward_kernel(GradientOperands<T> g) {
  const int64_t c = thread_of_grid() * kSize;
  if (c >= g.cols) return;
  float gain[kSize], gain_sums[kSize] = {};
  load(g.gain + c, gain);
  for (int64_t row = blockIdx.y; row < g.rows; row += gridDim.y) {
    float dy[kSize], x[kSize];
    load(g.dy + row * g.cols + c, dy);
    load(g.x + row * g.cols + c, x);
    const float inv = g.inv[row], slope = g.sums[row] / g.width;
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const float xhat = x[j] * inv;
      gain_sums[j] += dy[j] * xhat;
      dy[j] = inv * (dy[j] * gain[j] - xhat * slope);
    }
    store(g.dx + row * g.cols + c, dy);
  }
  if (g.dgain != nullptr) store(g.dgain + static_cast<int64_t>(blockIdx.y) * g.cols + c, gain_sums);
}

// Calls body.template operator()<kSize>() with as many columns a thread as lie in 16 bytes, or one.
template <typename T, typename Body>
void with_pack(int64_t cols, bool aligned, const Body& body) {
  if (aligned && cols % kPack<T> == 0) return body.template operator()<kPack<T>>();
  body.template operator()<1>();
}

}  // namespace

template <>
void row_squares<Device::cuda>(const Tensor& x, const Tensor& sums) {
  const CudaDevice& device = cuda_of(x);
  const int64_t rows = x.dim(0), cols = x.dim(1);
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    with_pack<T>(cols, are_aligned(x.raw()), [&]<int kSize>() {
      launch(device, "row_squares", row_sums_kernel<kSize, false, T>,
             {row_blocks(device, rows), kRowThreads}, nullptr, x.data<T>(), nullptr, nullptr, rows,
             cols, sums.data<float>());
    });
  });
}

template <>
void inverse_rms<Device::cuda>(const Tensor& sums, int64_t width, double eps) {
  refuse_fp64(sums.dtype());
  constexpr int kThreads = 256;
  const CudaDevice& device = cuda_of(sums);
  launch(device, "inverse_rms", inverse_rms_kernel<void>,
         {striding_blocks(device, ceil_div(sums.size(), kThreads), kThreads), kThreads},
         sums.data<float>(), sums.size(), static_cast<float>(width), static_cast<float>(eps));
}

template <>
void row_projections<Device::cuda>(const Tensor& dy, const Tensor& x, const Tensor& gain,
                                   const Tensor& inv_rms, const Tensor& sums) {
  const CudaDevice& device = cuda_of(x);
  const int64_t rows = x.dim(0), cols = x.dim(1);
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    with_pack<T>(cols, are_aligned(dy.raw(), x.raw(), gain.raw()), [&]<int kSize>() {
      launch(device, "row_projections", row_sums_kernel<kSize, true, T>,
             {row_blocks(device, rows), kRowThreads}, dy.data<T>(), x.data<T>(), gain.data<T>(),
             inv_rms.data<float>(), rows, cols, sums.data<float>());
    });
  });
}

template <>
void shared_rms_norm_backward<Device::cuda>(DeviceContext& ctx, const Tensor& dy, const Tensor& x,
                                            const Tensor& gain, const Tensor& inv_rms,
                                            const Tensor& sums, int64_t width, const Tensor& dx,
                                            const Tensor& dgain) {
  constexpr int64_t kRowsOfPart = 16, kMostParts = 256;
  const CudaDevice& device = cuda_of(ctx);
  const int64_t rows = x.dim(0), cols = x.dim(1);
  const int64_t parts = std::min(ceil_div(rows, kRowsOfPart), kMostParts);
  Tensor partials;
  if (dgain.defined()) partials = ctx.empty({parts, cols}, DType::fp32, MemoryCategory::workspace);
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    const bool aligned = are_aligned(dy.raw(), x.raw(), gain.raw(), dx.raw());
    with_pack<T>(cols, aligned, [&]<int kSize>() {
      const GradientOperands<T> g{dy.data<T>(),
                                  x.data<T>(),
                                  gain.data<T>(),
                                  inv_rms.data<float>(),
                                  sums.data<float>(),
                                  dx.data<T>(),
                                  partials.data<float>(),
                                  rows,
                                  cols,
                                  static_cast<float>(width)};
      launch(device, "shared_norm_backward", shared_backward_kernel<kSize, T>,
             {blocks_of(ceil_div(cols, kSize * kColumnThreads), parts), kColumnThreads}, g);
    });
  });
  if (dgain.defined()) add_partials(device, partials, dgain);
}

}  // namespace argosy::ops::detail
