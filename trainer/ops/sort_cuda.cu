// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A stable sort of small numbers, 8 bits a pass from the lowest: how often each digit occurs in
// each chunk, where the chunk's items of that digit begin, and the move. A chunk belongs to a warp,
// which takes its items in order, 32 at a time: the rank of an item among the equal ones before it
// follows from __match_any_sync. No order of threads or blocks changes the result.
#include <bit>

#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"
#include "trainer/ops/cuda_sort.h"

namespace argosy::ops {
namespace {

constexpr int kDigitBits = 8, kDigits = 1 << kDigitBits;
constexpr int kSortThreads = 128, kSortWarps = kSortThreads / kWarp;
constexpr int kScanThreads = 1024;

struct Pass {
  SortKeys keys;
  const int32_t* from;  // the items in the order so far; null: 0, 1, ...
  int64_t size, chunk, num_chunks;
  int shift;

  __device__ int64_t item(int64_t i) const { return from == nullptr ? i : from[i]; }
  // Beyond the end: a digit that no item has.
  __device__ int digit(int64_t i) const {
    if (i >= size) return kDigits;
    int64_t key = keys.ids[item(i)] - keys.first;
    if (key < 0 || key >= keys.count) key = keys.count;
    return static_cast<int>(key >> shift) & (kDigits - 1);
  }
};

__device__ int64_t chunk_of_warp() {
  return static_cast<int64_t>(blockIdx.x) * kSortWarps + warp_of_thread();
}

// counts (kDigits, num_chunks). Ints: their sums depend on no order.
__global__ void count_digits_kernel(Pass pass, int32_t* counts) {
  int32_t* own = shared_memory<int32_t>() + warp_of_thread() * kDigits;
  const int64_t chunk = chunk_of_warp();
  for (int d = lane_of_thread(); d < kDigits; d += kWarp) own[d] = 0;
  __syncwarp();
  if (chunk >= pass.num_chunks) return;
  const int64_t end = min(pass.size, (chunk + 1) * pass.chunk);
  for (int64_t i = chunk * pass.chunk + lane_of_thread(); i < end; i += kWarp)
    atomicAdd(own + pass.digit(i), 1);
  __syncwarp();
  for (int d = lane_of_thread(); d < kDigits; d += kWarp)
    counts[d * pass.num_chunks + chunk] = own[d];
}

// counts (size) becomes the sums of those before, in one block: a run of numbers a thread.
__global__ void __launch_bounds__(kScanThreads) scan_kernel(int32_t* counts, int64_t size) {
  int32_t* totals = shared_memory<int32_t>();  // (kScanThreads)
  const int64_t length = (size + kScanThreads - 1) / kScanThreads;
  const int64_t begin = min(size, threadIdx.x * length), end = min(size, begin + length);
  int32_t total = 0;
  for (int64_t i = begin; i < end; ++i) total += counts[i];
  totals[threadIdx.x] = total;
  __syncthreads();
  for (unsigned distance = 1; distance < kScanThreads; distance *= 2) {
    const int32_t before = threadIdx.x >= distance ? totals[threadIdx.x - distance] : 0;
    __syncthreads();
    totals[threadIdx.x] += before;
    __syncthreads();
  }
  int32_t sum = totals[threadIdx.x] - total;
  for (int64_t i = begin; i < end; ++i) {
    const int32_t count = counts[i];
    counts[i] = sum;
    sum += count;
  }
}

__global__ void move_items_kernel(Pass pass, const int32_t* begins, int32_t* to) {
  int32_t* next = shared_memory<int32_t>() + warp_of_thread() * kDigits;
  const int64_t chunk = chunk_of_warp();
  if (chunk >= pass.num_chunks) return;
  for (int d = lane_of_thread(); d < kDigits; d += kWarp)
    next[d] = begins[d * pass.num_chunks + chunk];
  __syncwarp();
  const int64_t begin = chunk * pass.chunk, end = min(pass.size, begin + pass.chunk);
  for (int64_t first = begin; first < end; first += kWarp) {
    const int64_t i = first + lane_of_thread();
    const int digit = pass.digit(i < end ? i : pass.size);
    const unsigned equal = __match_any_sync(kAllLanes, digit);
    const int rank = __popc(equal & ((1u << lane_of_thread()) - 1));
    if (digit < kDigits) to[next[digit] + rank] = static_cast<int32_t>(pass.item(i));
    __syncwarp();
    if (digit < kDigits && rank == 0) next[digit] += __popc(equal);
    __syncwarp();
  }
}

}  // namespace

void sort_by_key(DeviceContext& ctx, const SortKeys& keys, const Tensor& order) {
  constexpr int64_t kFewestItems = 512, kMostChunks = 1024;  // the scan has one block
  const CudaDevice& device = cuda_of(ctx);
  const int64_t size = order.size();
  if (size == 0) return;
  const int64_t chunk =
      std::max(kFewestItems, ceil_div(ceil_div(size, kMostChunks), kWarp) * kWarp);
  const int64_t num_chunks = ceil_div(size, chunk);
  const auto bits = static_cast<int>(std::bit_width(static_cast<uint64_t>(keys.count)));
  const int passes = std::max(1, (bits + kDigitBits - 1) / kDigitBits);
  const Tensor counts = ctx.empty({kDigits * num_chunks}, DType::int32, MemoryCategory::workspace);
  const Tensor other = ctx.empty({size}, DType::int32, MemoryCategory::workspace);
  const Grid grid{blocks_of(ceil_div(num_chunks, kSortWarps)), kSortThreads,
                  kSortWarps * kDigits * static_cast<int64_t>(sizeof(int32_t))};
  const int32_t* from = nullptr;
  for (int i = 0; i < passes; ++i) {
    // The last pass writes to `order`.
    int32_t* to = ((passes - 1 - i) % 2 == 0 ? order : other).data<int32_t>();
    const Pass pass{keys, from, size, chunk, num_chunks, i * kDigitBits};
    launch(device, "count_digits", count_digits_kernel, grid, pass, counts.data<int32_t>());
    launch(device, "scan", scan_kernel,
           {blocks_of(1), kScanThreads, kScanThreads * static_cast<int64_t>(sizeof(int32_t))},
           counts.data<int32_t>(), counts.size());
    launch(device, "move_items", move_items_kernel, grid, pass, counts.data<int32_t>(), to);
    from = to;
  }
}

}  // namespace argosy::ops
