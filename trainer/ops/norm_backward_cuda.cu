// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Sums over rows stay with the threads of the columns and are written once a block;
// cuda_columns.cuh adds the blocks' up.
#include "trainer/ops/cuda_columns.cuh"
#include "trainer/ops/cuda_norm_rows.cuh"
#include "trainer/ops/norm.h"

namespace argosy::ops::detail {
namespace {

template <typename T>
struct GradientOperands {
  const T *dy, *x, *gain;
  const float *mean, *inv;
  T* dx;
  float *dgain, *dbias;  // partial sums (blocks, cols); null: not wanted
  int64_t rows, cols;
  bool accumulate_dx;
};

// What a thread keeps of the row sums.
template <int kSize, int kPacks>
struct ColumnSums {
  float dgain[kPacks][kSize] = {}, dbias[kPacks][kSize] = {};
};

// A row as it is read, all at once: sums over the row come between its two uses.
template <int kSize, int kPacks, typename T>
struct RawRow {
  Raw<T, kSize> dy[kPacks], x[kPacks], dx[kPacks];
};
template <int kSize, int kPacks, bool kOfWarp, typename T>
__device__ void load_row(const GradientOperands<T>& g, int64_t row, RawRow<kSize, kPacks, T>& raw) {
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int64_t c = RowThreads<kOfWarp>::template column<kSize>(p), at = row * g.cols + c;
    if (c >= g.cols) continue;
    raw.dy[p] = load_raw<kSize>(g.dy + at);
    raw.x[p] = load_raw<kSize>(g.x + at);
    if (g.accumulate_dx) raw.dx[p] = load_raw<kSize>(g.dx + at);
  }
}

// One row; see norm_cpu.cpp for the formula.
template <int kSize, int kPacks, bool kOfWarp, bool kCentered, typename T>
__device__ void row_backward(const GradientOperands<T>& g, int64_t row,
                             ColumnSums<kSize, kPacks>& sums) {
  using Threads = RowThreads<kOfWarp>;
  RawRow<kSize, kPacks, T> raw;
  load_row<kSize, kPacks, kOfWarp>(g, row, raw);
  const float mean = kCentered ? g.mean[row] : 0.0f, inv = g.inv[row];
  float row_sums[kCentered ? 2 : 1] = {};  // of grad * xhat, of grad
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int64_t c = Threads::template column<kSize>(p);
    if (c >= g.cols) continue;
    float dy[kSize], x[kSize], gain[kSize];
    unpack(raw.dy[p], dy);
    unpack(raw.x[p], x);
    load(g.gain + c, gain);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const float xhat = (x[j] - mean) * inv, grad = dy[j] * gain[j];
      sums.dgain[p][j] += dy[j] * xhat;
      if constexpr (kCentered) sums.dbias[p][j] += dy[j];
      row_sums[0] += grad * xhat;
      if constexpr (kCentered) row_sums[1] += grad;
    }
  }
  Threads::sum(row_sums, shared_memory<float>());
  const float width = static_cast<float>(g.cols);
  const float slope = row_sums[0] / width, shift = kCentered ? row_sums[kCentered] / width : 0.0f;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int64_t c = Threads::template column<kSize>(p);
    if (c >= g.cols) continue;
    float dy[kSize], x[kSize], gain[kSize], dx[kSize] = {};
    unpack(raw.dy[p], dy);
    unpack(raw.x[p], x);
    load(g.gain + c, gain);
    if (g.accumulate_dx) unpack(raw.dx[p], dx);
#pragma unroll
    for (int j = 0; j < kSize; ++j)
      dx[j] += inv * (dy[j] * gain[j] - shift - (x[j] - mean) * inv * slope);
    store(g.dx + row * g.cols + c, dx);
  }
}

// The block's row of `to` (blocks, cols): its warps' sums, one after the other.
template <int kSize, int kPacks, bool kOfWarp>
__device__ void write_sums(const float (&sums)[kPacks][kSize], int64_t cols, float* to) {
  if (to == nullptr) return;
  to += static_cast<int64_t>(blockIdx.x) * cols;
  if constexpr (!kOfWarp) {
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      const int64_t c = RowThreads<kOfWarp>::template column<kSize>(p);
      if (c < cols) store(to + c, sums[p]);
    }
  } else {
    constexpr int kRow = kPacks * kWarp * kSize;
    float* of_warps = shared_memory<float>();  // (warps, kRow)
#pragma unroll
    for (int p = 0; p < kPacks; ++p)
      store(of_warps + warp_of_thread() * kRow + (p * kWarp + lane_of_thread()) * kSize, sums[p]);
    __syncthreads();
    for (int64_t c = threadIdx.x; c < cols; c += kWarpRowThreads) {
      float sum = of_warps[c];
#pragma unroll
      for (int warp = 1; warp < kWarpRowThreads / kWarp; ++warp) sum += of_warps[warp * kRow + c];
      to[c] = sum;
    }
    __syncthreads();  // shared memory may be used again
  }
}

template <int kSize, int kPacks, bool kOfWarp, bool kCentered, typename T>
__global__ void __launch_bounds__(kThreadBound<kOfWarp>, kOfWarp ? 2 : 1)
    norm_backward_kernel(GradientOperands<T> g) {
  using Threads = RowThreads<kOfWarp>;
  ColumnSums<kSize, kPacks> sums;
  for (int64_t row = Threads::first_row(); row < g.rows; row += Threads::rows_at_once())
    row_backward<kSize, kPacks, kOfWarp, kCentered>(g, row, sums);
  write_sums<kSize, kPacks, kOfWarp>(sums.dgain, g.cols, g.dgain);
  if constexpr (kCentered) write_sums<kSize, kPacks, kOfWarp>(sums.dbias, g.cols, g.dbias);
}

// Blocks that share the rows, from the shape alone: as many as keep a device busy, and few enough
// that their sums are small beside the rows.
int64_t blocks_for(int64_t rows, const RowLayout& layout) {
  constexpr int64_t kWarpRowBlocks = 256, kThreads = 131072;
  return std::min(ceil_div(rows, layout.rows_of_block()),
                  layout.is_of_warp ? kWarpRowBlocks : kThreads / layout.threads);
}

template <int kSize, int kPacks, bool kOfWarp>
constexpr int64_t shared_bytes() {
  const int64_t floats = kOfWarp ? kWarpRowThreads * kPacks * kSize : 2 * kWarp;
  return floats * static_cast<int64_t>(sizeof(float));
}

template <bool kCentered, typename T>
void backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& gain,
              const Tensor& mean, const Tensor& inv, const Tensor& dx, const Tensor& dgain,
              const Tensor& dbias, bool accumulate_dx) {
  const CudaDevice& device = cuda_of(ctx);
  const int64_t rows = x.dim(0), cols = x.dim(1);
  const bool aligned = are_aligned(dy.raw(), x.raw(), gain.raw(), dx.raw());
  with_row_layout<T>(
      cols, aligned, [&]<int kSize, int kPacks, bool kOfWarp>(const RowLayout& layout) {
        const int64_t blocks = blocks_for(rows, layout);
        const auto partials_of = [&](const Tensor& sums) {
          if (!sums.defined()) return Tensor();
          return ctx.empty({blocks, cols}, DType::fp32, MemoryCategory::workspace);
        };
        const Tensor gain_partials = partials_of(dgain), bias_partials = partials_of(dbias);
        const GradientOperands<T> g{dy.data<T>(),
                                    x.data<T>(),
                                    gain.data<T>(),
                                    mean.data<float>(),
                                    inv.data<float>(),
                                    dx.data<T>(),
                                    gain_partials.data<float>(),
                                    bias_partials.data<float>(),
                                    rows,
                                    cols,
                                    accumulate_dx};
        launch(device, "norm_backward", norm_backward_kernel<kSize, kPacks, kOfWarp, kCentered, T>,
               {blocks_of(blocks), layout.threads, shared_bytes<kSize, kPacks, kOfWarp>()}, g);
        if (dgain.defined()) add_partials(device, gain_partials, dgain);
        if (dbias.defined()) add_partials(device, bias_partials, dbias);
      });
}

}  // namespace

template <>
void norm_backward<Device::cuda>(DeviceContext& ctx, const Tensor& dy, const Tensor& x,
                                 const Tensor& gain, const Tensor& mean, const Tensor& inv,
                                 const Tensor& dx, const Tensor& dgain, const Tensor& dbias,
                                 bool accumulate_dx) {
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    if (mean.defined()) {
      backward<true, T>(ctx, dy, x, gain, mean, inv, dx, dgain, dbias, accumulate_dx);
    } else {
      backward<false, T>(ctx, dy, x, gain, mean, inv, dx, dgain, dbias, accumulate_dx);
    }
  });
}

}  // namespace argosy::ops::detail
