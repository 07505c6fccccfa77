// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/cuda_elements.cuh"
#include "trainer/ops/cuda_rows.cuh"
#include "trainer/ops/cuda_sort.h"
#include "trainer/ops/embedding.h"

namespace argosy::ops {
namespace {

struct LookUp {
  const int32_t* ids;
  int64_t first_id, num_ids;
  __device__ RowMove operator()(int64_t i) const {
    const int64_t row = ids[i] - first_id;
    return {row >= 0 && row < num_ids ? row : -1, i};
  }
};

// dtable[key] += the rows of dy of that key, in their order. A block that finds the first of a run
// of equal keys takes the run, kSize columns a thread.
constexpr int kAddThreads = 128;
template <int kSize, typename T>
__global__ void add_runs_kernel(SortKeys keys, const int32_t* order, int64_t size, const T* dy,
                                int64_t cols, float* dtable) {
  const auto key_at = [&](int64_t i) { return keys.ids[order[i]] - keys.first; };
  const int64_t begin = blockIdx.x, key = key_at(begin);
  if (key < 0 || key >= keys.count) return;
  if (begin > 0 && key_at(begin - 1) == key) return;
  int64_t end = begin + 1, beyond = size;  // the run ends in [end, beyond]
  while (end < beyond) {
    const int64_t middle = (end + beyond) / 2, other = key_at(middle);
    // Keys that nobody has stand behind all others.
    if (other == key) {
      end = middle + 1;
    } else {
      beyond = middle;
    }
  }
  const int64_t column = (static_cast<int64_t>(blockIdx.y) * kAddThreads + threadIdx.x) * kSize;
  if (column >= cols) return;
  float sum[kSize];
  load(dtable + key * cols + column, sum);
#pragma unroll 8
  for (int64_t i = begin; i < end; ++i) {
    float values[kSize];
    load(dy + order[i] * cols + column, values);
#pragma unroll
    for (int j = 0; j < kSize; ++j) sum[j] += values[j];
  }
  store(dtable + key * cols + column, sum);
}

void scatter_add(DeviceContext& ctx, const Tensor& dy, const SortKeys& keys, const Tensor& dtable) {
  const int64_t size = dy.dim(0), cols = dy.dim(1);
  if (size == 0 || cols == 0) return;
  const Tensor order = ctx.empty({size}, DType::int32, MemoryCategory::workspace);
  sort_by_key(ctx, keys, order);
  dispatch_cuda(dy.dtype(), [&]<typename T>() {
    const auto run = [&]<int kSize>() {
      launch(cuda_of(ctx), "add_runs", add_runs_kernel<kSize, T>,
             {blocks_of(size, ceil_div(cols, kAddThreads * kSize)), kAddThreads}, keys,
             order.data<int32_t>(), size, dy.data<T>(), cols, dtable.data<float>());
    };
    if (are_aligned(dy.raw(), dtable.raw()) && cols % kPack<T> == 0) {
      run.template operator()<kPack<T>>();
    } else {
      run.template operator()<1>();
    }
  });
}

template <typename T>
struct AddPositions {
  const T* table;
  const int32_t* positions;
  T* y;
  int64_t num_positions, cols;
  template <int kSize>
  __device__ void run(int64_t i) const {
    const int64_t position = positions[i / cols];
    require(position >= 0 && position < num_positions);
    float values[kSize], offsets[kSize];
    load(y + i, values);
    load(table + position * cols + i % cols, offsets);
#pragma unroll
    for (int j = 0; j < kSize; ++j) values[j] += offsets[j];
    store(y + i, values);
  }
};

}  // namespace

template <>
void detail::embedding_forward<Device::cuda>(const Tensor& ids, const Tensor& table,
                                             int64_t first_id, const Tensor& y) {
  move_rows("embedding_forward", table, y, ids.size(), table.dim(1) * size_in_bytes(table.dtype()),
            LookUp{ids.data<int32_t>(), first_id, table.dim(0)});
}

template <>
void detail::embedding_backward<Device::cuda>(DeviceContext& ctx, const Tensor& dy,
                                              const Tensor& ids, int64_t first_id,
                                              const Tensor& dtable) {
  scatter_add(ctx, dy, {ids.data<int32_t>(), first_id, dtable.dim(0)}, dtable);
}

template <>
void detail::add_positions<Device::cuda>(const Tensor& table, const Tensor& positions,
                                         const Tensor& y) {
  dispatch_cuda(y.dtype(), [&]<typename T>() {
    const AddPositions<T> op{table.data<T>(), positions.data<int32_t>(), y.data<T>(), table.dim(0),
                             y.dim(1)};
    const bool aligned = are_aligned(op.table, op.y) && op.cols % kPack<T> == 0;
    for_elements<kPack<T>>(cuda_of(y), "add_positions", y.size(), aligned, op);
  });
}

template <>
void detail::positions_backward<Device::cuda>(DeviceContext& ctx, const Tensor& dy,
                                              const Tensor& positions, const Tensor& dtable) {
  scatter_add(ctx, dy, {positions.data<int32_t>(), 0, dtable.dim(0)}, dtable);
}

}  // namespace argosy::ops
