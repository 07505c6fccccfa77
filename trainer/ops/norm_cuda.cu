// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/norm.h"

#include "trainer/ops/cuda_norm_rows.cuh"

namespace argosy::ops::detail {
namespace {

template <typename T>
struct NormOperands {
  const T *residual, *gain, *bias;  // residual: null, or added to x
  T* x;
  float *mean, *inv;
  T* y;
  int64_t rows, cols;
};

// x += residual in memory and, rounded as there, in registers.
template <int kSize, typename T>
__device__ void add_residual(const NormOperands<T>& n, int64_t at, float (&x)[kSize]) {
  float residual[kSize];
  load(n.residual + at, residual);
#pragma unroll
  for (int j = 0; j < kSize; ++j) x[j] = to_float(from_float<T>(x[j] + residual[j]));
  store(n.x + at, x);
}

// kApply: with the statistics that are there.
template <int kSize, int kPacks, bool kOfWarp, bool kCentered, bool kApply, typename T>
__global__ void __launch_bounds__(kThreadBound<kOfWarp>)
    norm_forward_kernel(NormOperands<T> n, float eps) {
  using Threads = RowThreads<kOfWarp>;
  float* scratch = shared_memory<float>();
  const int64_t row = Threads::first_row();
  if (row >= n.rows) return;  // whole warps; a block of one row stays whole
  float x[kPacks][kSize];
  float mean = 0, sum = 0;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int64_t c = Threads::template column<kSize>(p);
    if (c >= n.cols) continue;
    load(n.x + row * n.cols + c, x[p]);
    if (!kApply && n.residual != nullptr) add_residual(n, row * n.cols + c, x[p]);
#pragma unroll
    for (int j = 0; j < kSize; ++j) sum += x[p][j];
  }
  float inv;
  if constexpr (kApply) {
    if constexpr (kCentered) mean = n.mean[row];
    inv = n.inv[row];
  } else {
    const float width = static_cast<float>(n.cols);
    if constexpr (kCentered) mean = Threads::sum(sum, scratch) / width;
    float squares = 0;
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      if (Threads::template column<kSize>(p) >= n.cols) continue;
#pragma unroll
      for (int j = 0; j < kSize; ++j) squares += (x[p][j] - mean) * (x[p][j] - mean);
    }
    inv = 1.0f / sqrtf(Threads::sum(squares, scratch) / width + eps);
    if (Threads::index() == 0) {
      if constexpr (kCentered) n.mean[row] = mean;
      n.inv[row] = inv;
    }
  }
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int64_t c = Threads::template column<kSize>(p);
    if (c >= n.cols) continue;
    float gain[kSize], bias[kSize] = {};
    load(n.gain + c, gain);
    if constexpr (kCentered) load(n.bias + c, bias);
#pragma unroll
    for (int j = 0; j < kSize; ++j) x[p][j] = gain[j] * ((x[p][j] - mean) * inv) + bias[j];
    store(n.y + row * n.cols + c, x[p]);
  }
}

template <bool kCentered, bool kApply, typename T>
void forward(const Tensor& residual, const Tensor& x, const Tensor& gain, const Tensor& bias,
             double eps, const Tensor& y, const Tensor& mean, const Tensor& inv) {
  const NormOperands<T> n{residual.data<T>(), gain.data<T>(),     bias.data<T>(),
                          x.data<T>(),        mean.data<float>(), inv.data<float>(),
                          y.data<T>(),        x.dim(0),           x.dim(1)};
  const bool aligned = are_aligned(n.residual, n.x, n.gain, n.bias, n.y);
  with_row_layout<T>(n.cols, aligned,
                     [&]<int kSize, int kPacks, bool kOfWarp>(const RowLayout& layout) {
                       launch(cuda_of(x), "norm_forward",
                              norm_forward_kernel<kSize, kPacks, kOfWarp, kCentered, kApply, T>,
                              {blocks_of(ceil_div(n.rows, layout.rows_of_block())), layout.threads,
                               kWarp * static_cast<int64_t>(sizeof(float))},
                              n, static_cast<float>(eps));
                     });
}

template <bool kApply>
void dispatch_forward(const Tensor& residual, const Tensor& x, const Tensor& gain,
                      const Tensor& bias, double eps, const Tensor& y, const Tensor& mean,
                      const Tensor& inv) {
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    if (mean.defined()) {
      forward<true, kApply, T>(residual, x, gain, bias, eps, y, mean, inv);
    } else {
      forward<false, kApply, T>(residual, x, gain, bias, eps, y, mean, inv);
    }
  });
}

}  // namespace

template <>
void norm_forward<Device::cuda>(const Tensor& residual, const Tensor& x, const Tensor& gain,
                                const Tensor& bias, double eps, const Tensor& y, const Tensor& mean,
                                const Tensor& inv) {
  dispatch_forward<false>(residual, x, gain, bias, eps, y, mean, inv);
}

template <>
void norm_apply<Device::cuda>(const Tensor& x, const Tensor& gain, const Tensor& bias,
                              const Tensor& mean, const Tensor& inv, const Tensor& y) {
  dispatch_forward<true>(Tensor(), x, gain, bias, 0, y, mean, inv);
}

}  // namespace argosy::ops::detail
