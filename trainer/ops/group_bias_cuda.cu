// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <vector>

#include "trainer/ops/cuda_parts.cuh"
#include "trainer/ops/group_bias.h"

namespace argosy::ops::detail {
namespace {

// The rows of a group, all their elements.
template <typename T>
struct BiasPart {
  const T* bias;
  T* y;
  int64_t size;
};

constexpr int kBiasThreads = 256;
constexpr int64_t kBiasChunk = 8192;  // elements of a block: whole packs
template <int kSize, typename T>
__global__ void add_group_biases_kernel(const __grid_constant__ PartTable<BiasPart<T>> table,
                                        int64_t cols) {
  const PartChunk chunk = chunk_of_block(table, kBiasChunk);
  const BiasPart<T>& part = table.parts[chunk.part];
  for (int64_t i = chunk.begin + threadIdx.x * kSize; i < chunk.end; i += kBiasThreads * kSize) {
    float values[kSize], bias[kSize];
    load(part.y + i, values);
    load(part.bias + i % cols, bias);
#pragma unroll
    for (int j = 0; j < kSize; ++j) values[j] += bias[j];
    store(part.y + i, values);
  }
}

// The rows of a group, and where their sums belong.
template <typename T>
struct SumPart {
  const T* dy;
  float* dbias;
  int64_t size;  // rows
};

// partials (chunks, cols): sums over the rows of each chunk. A thread has kSize columns.
constexpr int kSumThreads = 256;
constexpr int64_t kSumRows = 64;  // of a chunk: long against adding up the chunks
template <int kSize, typename T>
__global__ void group_sums_kernel(const __grid_constant__ PartTable<SumPart<T>> table, int64_t cols,
                                  float* partials) {
  const PartChunk chunk = chunk_of_block(table, kSumRows);
  const int64_t col = (static_cast<int64_t>(blockIdx.y) * kSumThreads + threadIdx.x) * kSize;
  if (col >= cols) return;
  const T* dy = table.parts[chunk.part].dy + col;
  float sum[kSize] = {};
#pragma unroll 4
  for (int64_t row = chunk.begin; row < chunk.end; ++row) {
    float values[kSize];
    load(dy + row * cols, values);
#pragma unroll
    for (int j = 0; j < kSize; ++j) sum[j] += values[j];
  }
  store(partials + blockIdx.x * cols + col, sum);
}

// dbias += the group's chunks, in their order. A block has a group and so many columns.
template <typename T>
__global__ void add_group_sums_kernel(const __grid_constant__ PartTable<SumPart<T>> table,
                                      int64_t cols, const float* partials) {
  const int64_t col = static_cast<int64_t>(blockIdx.y) * kSumThreads + threadIdx.x;
  if (col >= cols) return;
  const auto part = static_cast<size_t>(blockIdx.x);
  const bool is_last = static_cast<int>(blockIdx.x) + 1 == table.num_parts;
  const int64_t end = is_last ? table.num_chunks : table.first_chunk[part + 1];
  float sum = 0;
  for (int64_t chunk = table.first_chunk[part]; chunk < end; ++chunk)
    sum += partials[chunk * cols + col];
  table.parts[part].dbias[col] += sum;
}

template <int kSize, typename T>
void add_biases(const std::vector<Tensor>& biases, const std::vector<int64_t>& ends,
                const Tensor& y) {
  const int64_t cols = y.dim(1);
  std::vector<BiasPart<T>> parts;
  parts.reserve(ends.size());
  int64_t begin = 0;
  for (size_t g = 0; g < ends.size(); begin = ends[g++]) {
    parts.push_back({biases[g].data<T>(), y.data<T>() + begin * cols, (ends[g] - begin) * cols});
  }
  for_part_tables(parts, kBiasChunk, [&](const auto& table) {
    launch(cuda_of(y), "add_group_biases", add_group_biases_kernel<kSize, T>,
           {blocks_of(table.num_chunks), kBiasThreads}, table, cols);
  });
}

template <int kSize, typename T>
void sum_groups(DeviceContext& ctx, const Tensor& dy, const std::vector<int64_t>& ends,
                const std::vector<Tensor>& dbiases) {
  const int64_t cols = dy.dim(1);
  std::vector<SumPart<T>> parts;
  parts.reserve(ends.size());
  int64_t begin = 0, num_chunks = 0;
  for (size_t g = 0; g < ends.size(); begin = ends[g++]) {
    parts.push_back({dy.data<T>() + begin * cols, dbiases[g].data<float>(), ends[g] - begin});
    num_chunks += ceil_div(ends[g] - begin, kSumRows);
  }
  const Tensor partials = ctx.empty({num_chunks, cols}, DType::fp32, MemoryCategory::workspace);
  float* next = partials.data<float>();
  for_part_tables(parts, kSumRows, [&](const auto& table) {
    launch(cuda_of(dy), "group_sums", group_sums_kernel<kSize, T>,
           {blocks_of(table.num_chunks, ceil_div(cols, kSumThreads * kSize)), kSumThreads}, table,
           cols, next);
    launch(cuda_of(dy), "add_group_sums", add_group_sums_kernel<T>,
           {blocks_of(table.num_parts, ceil_div(cols, kSumThreads)), kSumThreads}, table, cols,
           next);
    next += table.num_chunks * cols;
  });
}

bool are_all_aligned(const std::vector<Tensor>& tensors) {
  for (const Tensor& tensor : tensors) {
    if (!are_aligned(tensor.raw())) return false;
  }
  return true;
}

}  // namespace

template <>
void add_group_biases<Device::cuda>(const std::vector<Tensor>& biases,
                                    const std::vector<int64_t>& ends, const Tensor& y) {
  dispatch_cuda(y.dtype(), [&]<typename T>() {
    if (y.dim(1) % kPack<T> == 0 && are_aligned(y.raw()) && are_all_aligned(biases)) {
      add_biases<kPack<T>, T>(biases, ends, y);
    } else {
      add_biases<1, T>(biases, ends, y);
    }
  });
}

template <>
void group_biases_backward<Device::cuda>(DeviceContext& ctx, const Tensor& dy,
                                         const std::vector<int64_t>& ends,
                                         const std::vector<Tensor>& dbiases) {
  dispatch_cuda(dy.dtype(), [&]<typename T>() {
    // The partial sums begin on a boundary of the allocator; their rows are aligned if dy's are.
    if (dy.dim(1) % kPack<T> == 0 && are_aligned(dy.raw())) {
      sum_groups<kPack<T>, T>(ctx, dy, ends, dbiases);
    } else {
      sum_groups<1, T>(ctx, dy, ends, dbiases);
    }
  });
}

}  // namespace argosy::ops::detail
