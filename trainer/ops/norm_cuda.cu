// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A row belongs to a warp or to a block, which keeps it in registers from the first look to the
// last: memory is read once. Sums over rows stay with the threads of the columns and are written
// once a group of rows; cuda_columns.cuh adds them up.
#include "trainer/ops/cuda_columns.cuh"
#include "trainer/ops/norm.h"

namespace argosy::ops::detail {
namespace {

// How rows are laid over threads: `threads_per_row` have kPacks packs of kSize columns each.
struct RowLayout {
  int threads_per_row, threads, packs;
  int rows() const { return threads / threads_per_row; }  // that a block has at a time
};

constexpr int kMostThreads = 1024, kMostPacks = 16;

RowLayout layout_of(int64_t cols, int size) {
  const int64_t packs = ceil_div(cols, size);
  for (const int threads : {kWarp, 256, 512, kMostThreads}) {
    if (packs <= threads) return {threads, std::max(threads, 256), 1};
  }
  int per_thread = 2;
  while (per_thread * kMostThreads < packs) per_thread *= 2;
  if (per_thread > kMostPacks) {
    throw ConfigError(concat("a norm over ", cols, " columns: --device cuda takes up to ",
                             kMostThreads * kMostPacks * size,
                             " (more if they are a multiple of 8)"));
  }
  return {kMostThreads, kMostThreads, per_thread};
}

// Over the threads of a row.
struct RowSum {
  int threads_per_row;
  float* scratch;  // (kWarp)
  __device__ float operator()(float value) const {
    return threads_per_row == kWarp ? warp_sum(value) : block_sum(value, scratch);
  }
};

template <typename T>
struct NormOperands {
  const T *residual, *gain, *bias;  // residual: null, or added to x
  T* x;
  float *mean, *inv;
  T* y;
  int64_t rows, cols;
};

// First column of a thread's pack p.
template <int kSize>
__device__ int64_t column_of(int threads_per_row, int p) {
  const int lane = static_cast<int>(threadIdx.x) % threads_per_row;
  return (static_cast<int64_t>(p) * threads_per_row + lane) * kSize;
}

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
template <int kSize, int kPacks, bool kCentered, bool kApply, typename T>
__global__ void __launch_bounds__(kMostThreads)
    norm_forward_kernel(NormOperands<T> n, float eps, int threads_per_row) {
  const RowSum row_sum{threads_per_row, shared_memory<float>()};
  const int rows_per_block = static_cast<int>(blockDim.x) / threads_per_row;
  const int64_t row =
      static_cast<int64_t>(blockIdx.x) * rows_per_block + threadIdx.x / threads_per_row;
  if (row >= n.rows) return;  // whole warps; a block of one row stays whole
  float x[kPacks][kSize];
  float mean = 0, sum = 0;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int64_t c = column_of<kSize>(threads_per_row, p);
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
    if constexpr (kCentered) mean = row_sum(sum) / width;
    float squares = 0;
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      if (column_of<kSize>(threads_per_row, p) >= n.cols) continue;
#pragma unroll
      for (int j = 0; j < kSize; ++j) squares += (x[p][j] - mean) * (x[p][j] - mean);
    }
    inv = 1.0f / sqrtf(row_sum(squares) / width + eps);
    if (threadIdx.x % threads_per_row == 0) {
      if constexpr (kCentered) n.mean[row] = mean;
      n.inv[row] = inv;
    }
  }
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int64_t c = column_of<kSize>(threads_per_row, p);
    if (c >= n.cols) continue;
    float gain[kSize], bias[kSize] = {};
    load(n.gain + c, gain);
    if constexpr (kCentered) load(n.bias + c, bias);
#pragma unroll
    for (int j = 0; j < kSize; ++j) x[p][j] = gain[j] * ((x[p][j] - mean) * inv) + bias[j];
    store(n.y + row * n.cols + c, x[p]);
  }
}

template <typename T>
struct GradientOperands {
  const T *dy, *x, *gain;
  const float *mean, *inv;
  T* dx;
  float *dgain, *dbias;  // partial sums (groups, cols); null: not wanted
  int64_t rows, cols;
};

// What a thread keeps of the row sums.
template <int kSize, int kPacks>
struct ColumnSums {
  float dgain[kPacks][kSize] = {}, dbias[kPacks][kSize] = {};
};

// One row; see norm_cpu.cpp for the formula.
template <int kSize, int kPacks, bool kCentered, typename T>
__device__ void row_backward(const GradientOperands<T>& g, int64_t row, int threads_per_row,
                             bool accumulate_dx, const RowSum& row_sum,
                             ColumnSums<kSize, kPacks>& sums) {
  float grad[kPacks][kSize], xhat[kPacks][kSize];
  const float mean = kCentered ? g.mean[row] : 0.0f, inv = g.inv[row];
  float sum = 0, projection = 0;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int64_t c = column_of<kSize>(threads_per_row, p);
    if (c >= g.cols) continue;
    float gain[kSize];
    load(g.dy + row * g.cols + c, grad[p]);
    load(g.x + row * g.cols + c, xhat[p]);
    load(g.gain + c, gain);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      xhat[p][j] = (xhat[p][j] - mean) * inv;
      sums.dgain[p][j] += grad[p][j] * xhat[p][j];
      if constexpr (kCentered) sums.dbias[p][j] += grad[p][j];
      grad[p][j] *= gain[j];
      sum += grad[p][j];
      projection += grad[p][j] * xhat[p][j];
    }
  }
  const float width = static_cast<float>(g.cols);
  const float slope = row_sum(projection) / width;
  const float shift = kCentered ? row_sum(sum) / width : 0.0f;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int64_t c = column_of<kSize>(threads_per_row, p);
    if (c >= g.cols) continue;
    T* dx = g.dx + row * g.cols + c;
    float old[kSize] = {};
    if (accumulate_dx) load(dx, old);
#pragma unroll
    for (int j = 0; j < kSize; ++j) old[j] += inv * (grad[p][j] - shift - xhat[p][j] * slope);
    store(dx, old);
  }
}

// A group of threads_per_row threads has the rows group, group + groups, ...
template <int kSize, int kPacks, bool kCentered, typename T>
__global__ void __launch_bounds__(kMostThreads)
    norm_backward_kernel(GradientOperands<T> g, int64_t groups, int threads_per_row,
                         bool accumulate_dx) {
  const RowSum row_sum{threads_per_row, shared_memory<float>()};
  const int rows_per_block = static_cast<int>(blockDim.x) / threads_per_row;
  const int64_t group =
      static_cast<int64_t>(blockIdx.x) * rows_per_block + threadIdx.x / threads_per_row;
  if (group >= groups) return;
  ColumnSums<kSize, kPacks> sums;
  for (int64_t row = group; row < g.rows; row += groups) {
    row_backward<kSize, kPacks, kCentered>(g, row, threads_per_row, accumulate_dx, row_sum, sums);
  }
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int64_t c = column_of<kSize>(threads_per_row, p);
    if (c >= g.cols) continue;
    if (g.dgain != nullptr) store(g.dgain + group * g.cols + c, sums.dgain[p]);
    if (g.dbias != nullptr) store(g.dbias + group * g.cols + c, sums.dbias[p]);
  }
}

// Calls body.template operator()<kSize, kPacks>(layout) for rows of `cols` elements.
template <typename T, typename Body>
void with_layout(int64_t cols, bool aligned, const Body& body) {
  const auto with_size = [&]<int kSize>() {
    const RowLayout layout = layout_of(cols, kSize);
    switch (layout.packs) {
      case 1:
        return body.template operator()<kSize, 1>(layout);
      case 2:
        return body.template operator()<kSize, 2>(layout);
      case 4:
        return body.template operator()<kSize, 4>(layout);
      default:
        // Register files are full: what does not fit lies in memory that the cache holds.
        return body.template operator()<kSize, kMostPacks>(layout);
    }
  };
  if (aligned && cols % kPack<T> == 0) {
    with_size.template operator()<kPack<T>>();
  } else {
    with_size.template operator()<1>();
  }
}

constexpr int64_t kScratchBytes = kWarp * static_cast<int64_t>(sizeof(float));

template <bool kCentered, bool kApply, typename T>
void forward(const Tensor& residual, const Tensor& x, const Tensor& gain, const Tensor& bias,
             double eps, const Tensor& y, const Tensor& mean, const Tensor& inv) {
  const NormOperands<T> n{residual.data<T>(), gain.data<T>(),     bias.data<T>(),
                          x.data<T>(),        mean.data<float>(), inv.data<float>(),
                          y.data<T>(),        x.dim(0),           x.dim(1)};
  const bool aligned = are_aligned(n.residual, n.x, n.gain, n.bias, n.y);
  with_layout<T>(n.cols, aligned, [&]<int kSize, int kPacks>(const RowLayout& layout) {
    launch(cuda_of(x), "norm_forward", norm_forward_kernel<kSize, kPacks, kCentered, kApply, T>,
           {blocks_of(ceil_div(n.rows, layout.rows())), layout.threads, kScratchBytes}, n,
           static_cast<float>(eps), layout.threads_per_row);
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

// Groups of threads that share the rows: as many as keep a device busy, and few enough that their
// sums are small beside the rows.
int64_t groups_of(int64_t rows, const RowLayout& layout) {
  constexpr int64_t kThreads = 131072;
  return std::min(rows, kThreads / layout.threads_per_row);
}

template <bool kCentered, typename T>
void backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& gain,
              const Tensor& mean, const Tensor& inv, const Tensor& dx, const Tensor& dgain,
              const Tensor& dbias, bool accumulate_dx) {
  const CudaDevice& device = cuda_of(ctx);
  const int64_t rows = x.dim(0), cols = x.dim(1);
  const bool aligned = are_aligned(dy.raw(), x.raw(), gain.raw(), dx.raw());
  with_layout<T>(cols, aligned, [&]<int kSize, int kPacks>(const RowLayout& layout) {
    const int64_t groups = groups_of(rows, layout);
    const auto partials_of = [&](const Tensor& sums) {
      if (!sums.defined()) return Tensor();
      return ctx.empty({groups, cols}, DType::fp32, MemoryCategory::workspace);
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
                                cols};
    launch(device, "norm_backward", norm_backward_kernel<kSize, kPacks, kCentered, T>,
           {blocks_of(ceil_div(groups, layout.rows())), layout.threads, kScratchBytes}, g, groups,
           layout.threads_per_row, accumulate_dx);
    if (dgain.defined()) add_partials(device, gain_partials, dgain);
    if (dbias.defined()) add_partials(device, bias_partials, dbias);
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
