// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Sums over rows and over whole tensors, of which ops/elementwise.h tells.
#include <vector>

#include "trainer/ops/cuda_columns.cuh"
#include "trainer/ops/cuda_parts.cuh"
#include "trainer/ops/elementwise.h"

namespace argosy::ops {
namespace {

// partials (parts, cols): sums of dy (rows, cols) over the rows of each part. A block has kSize
// columns a lane and one part, whose rows its warps take in turn.
constexpr int kColumnThreads = 256;
template <int kSize, typename T>
__global__ void column_sums_kernel(const T* dy, int64_t rows, int64_t cols, int64_t part_rows,
                                   float* partials) {
  constexpr int kWarps = kColumnThreads / kWarp;
  float* sums = shared_memory<float>();  // (kWarps, kWarp * kSize)
  const int64_t col = (static_cast<int64_t>(blockIdx.x) * kWarp + lane_of_thread()) * kSize;
  const int64_t begin = blockIdx.y * part_rows, end = min(rows, begin + part_rows);
  float sum[kSize] = {};
  if (col < cols) {
#pragma unroll 4
    for (int64_t row = begin + warp_of_thread(); row < end; row += kWarps) {
      float values[kSize];
      load(dy + row * cols + col, values);
#pragma unroll
      for (int j = 0; j < kSize; ++j) sum[j] += values[j];
    }
  }
#pragma unroll
  for (int j = 0; j < kSize; ++j)
    sums[(warp_of_thread() * kSize + j) * kWarp + lane_of_thread()] = sum[j];
  __syncthreads();
  if (warp_of_thread() != 0 || col >= cols) return;
  for (int warp = 1; warp < kWarps; ++warp) {
#pragma unroll
    for (int j = 0; j < kSize; ++j) sum[j] += sums[(warp * kSize + j) * kWarp + lane_of_thread()];
  }
  store(partials + blockIdx.y * cols + col, sum);
}

template <int kSize, typename T>
void column_sums(DeviceContext& ctx, const Tensor& dy, const Tensor& sums) {
  constexpr int64_t kBlocks = 512;     // enough for every device so far
  constexpr int64_t kFewestRows = 32;  // of a part: fewer would write as much as they read
  const int64_t rows = dy.dim(0), cols = dy.dim(1);
  const int64_t column_blocks = ceil_div(cols, kWarp * kSize);
  const int64_t most_parts = std::max<int64_t>(1, kBlocks / std::max<int64_t>(1, column_blocks));
  const int64_t part_rows = std::max(kFewestRows, ceil_div(rows, most_parts));
  const int64_t parts = ceil_div(rows, part_rows);
  if (parts == 0 || cols == 0) return;
  const Tensor partials = ctx.empty({parts, cols}, DType::fp32, MemoryCategory::workspace);
  const CudaDevice& device = cuda_of(ctx);
  launch(device, "column_sums", column_sums_kernel<kSize, T>,
         {blocks_of(column_blocks, parts), kColumnThreads,
          kColumnThreads * kSize * static_cast<int64_t>(sizeof(float))},
         dy.data<T>(), rows, cols, part_rows, partials.data<float>());
  add_partials(device, partials, sums);
}

}  // namespace

template <>
void detail::bias_backward<Device::cuda>(DeviceContext& ctx, const Tensor& dy,
                                         const Tensor& dbias) {
  dispatch_cuda(dy.dtype(), [&]<typename T>() {
    // The partial sums begin on a boundary of the allocator; their rows are aligned if dy's are.
    if (are_aligned(dy.raw()) && dy.dim(1) % kPack<T> == 0) {
      column_sums<kPack<T>, T>(ctx, dy, dbias);
    } else {
      column_sums<1, T>(ctx, dy, dbias);
    }
  });
}

namespace {

// Sums in double: the blocks' own, then over the blocks. The order depends on the sizes alone.
constexpr int kSumThreads = 256;
constexpr int64_t kSumScratchBytes = kWarp * static_cast<int64_t>(sizeof(double));
constexpr int64_t kSumBlocks = 1024;

template <int kSize, typename T>
__global__ void partial_sums_kernel(const T* x, int64_t wide, int64_t size, double* partials) {
  double sum = 0;
  for (int64_t i = thread_of_grid() * kSize; i < wide; i += threads_of_grid() * kSize) {
    float values[kSize];
    load(x + i, values);
#pragma unroll
    for (int j = 0; j < kSize; ++j) sum += static_cast<double>(values[j]);
  }
  for (int64_t i = wide + thread_of_grid(); i < size; i += threads_of_grid()) {
    sum += static_cast<double>(to_float(x[i]));
  }
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

// *total = sum of the partials, or what it was and that.
__global__ void total_kernel(const double* partials, int64_t parts, bool adds, double* total) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < parts; i += blockDim.x) sum += partials[i];
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) *total = adds ? *total + sum : sum;
}

void add_up(const CudaDevice& device, const Tensor& partials, bool adds, const Tensor& total) {
  launch(device, "total", total_kernel, {blocks_of(1), kSumThreads, kSumScratchBytes},
         partials.data<double>(), partials.size(), adds, total.data<double>());
}

template <typename T>
struct SquaresPart {
  const T* x;
  int64_t size;
  bool aligned;
};

// Elements of a part that a block sums: long against adding up the blocks.
constexpr int64_t kSquaresChunk = 16384;
template <int kSize, typename T>
__global__ void squares_kernel(const __grid_constant__ PartTable<SquaresPart<T>> table,
                               double* partials) {
  const PartChunk chunk = chunk_of_block(table, kSquaresChunk);
  const T* x = table.parts[chunk.part].x;
  double sum = 0;
  const auto add = [&](float value) {
    const double wide_value = static_cast<double>(value);
    sum += wide_value * wide_value;
  };
  const int64_t wide = table.parts[chunk.part].aligned
                           ? chunk.begin + (chunk.end - chunk.begin) / kSize * kSize
                           : chunk.begin;
  for (int64_t i = chunk.begin + threadIdx.x * kSize; i < wide; i += kSumThreads * kSize) {
    float values[kSize];
    load(x + i, values);
#pragma unroll
    for (int j = 0; j < kSize; ++j) add(values[j]);
  }
  for (int64_t i = wide + threadIdx.x; i < chunk.end; i += kSumThreads) add(to_float(x[i]));
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

}  // namespace

template <>
void detail::add_sum<Device::cuda>(DeviceContext& ctx, const Tensor& x, const Tensor& total) {
  if (x.size() == 0) return;
  const CudaDevice& device = cuda_of(ctx);
  const int64_t blocks = std::min(kSumBlocks, ceil_div(x.size(), kSumThreads));
  const Tensor partials = ctx.empty({blocks}, DType::fp64, MemoryCategory::workspace);
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    const int64_t wide = are_aligned(x.raw()) ? x.size() / kPack<T> * kPack<T> : 0;
    launch(device, "partial_sums", partial_sums_kernel<kPack<T>, T>,
           {blocks_of(blocks), kSumThreads, kSumScratchBytes}, x.data<T>(), wide, x.size(),
           partials.data<double>());
  });
  add_up(device, partials, true, total);
}

template <>
void detail::sum_of_squares<Device::cuda>(DeviceContext& ctx, std::span<const Tensor> parts,
                                          const Tensor& total) {
  const CudaDevice& device = cuda_of(ctx);
  int64_t blocks = 0;
  for (const Tensor& part : parts) blocks += ceil_div(part.size(), kSquaresChunk);
  const Tensor partials = ctx.empty({blocks}, DType::fp64, MemoryCategory::workspace);
  double* next = partials.data<double>();
  dispatch_cuda(parts.empty() ? DType::fp32 : parts.front().dtype(), [&]<typename T>() {
    std::vector<SquaresPart<T>> list;
    for (const Tensor& part : parts) {
      list.push_back({part.data<T>(), part.size(), are_aligned(part.raw())});
    }
    for_part_tables(list, kSquaresChunk, [&](const auto& table) {
      launch(device, "sum_of_squares", squares_kernel<kPack<T>, T>,
             {blocks_of(table.num_chunks), kSumThreads, kSumScratchBytes}, table, next);
      next += table.num_chunks;
    });
  });
  add_up(device, partials, false, total);
}

}  // namespace argosy::ops
