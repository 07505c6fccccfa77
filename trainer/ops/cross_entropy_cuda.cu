// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A block has a row of logits: read once for maximum and sum (an online softmax a thread), once
// more for the gradient that takes their place.
#include <limits>
#include <type_traits>

#include "trainer/ops/cross_entropy.h"
#include "trainer/ops/cuda_elements.cuh"
#include "trainer/ops/elementwise.h"

namespace argosy::ops {
namespace {

constexpr int kRowThreads = 512;
constexpr float kLowest = -std::numeric_limits<float>::infinity();

// The sum of exp(x - maximum) over what was seen.
struct OnlineSum {
  float maximum = kLowest, sum = 0;
};
__device__ OnlineSum merge(const OnlineSum& a, const OnlineSum& b) {
  const float maximum = fmaxf(a.maximum, b.maximum);
  if (maximum == kLowest) return {maximum, a.sum + b.sum};  // nothing yet, or nothing finite
  return {maximum, a.sum * fast_exp(a.maximum - maximum) + b.sum * fast_exp(b.maximum - maximum)};
}
__device__ OnlineSum warp_merge(OnlineSum value) {
#pragma unroll
  for (int bit = kWarp / 2; bit > 0; bit /= 2) {
    const OnlineSum other{__shfl_xor_sync(kAllLanes, value.maximum, bit),
                          __shfl_xor_sync(kAllLanes, value.sum, bit)};
    value = merge(value, other);
  }
  return value;
}

template <int kSize, typename T>
__device__ void add_logits(const T* x, OnlineSum& total) {
  float values[kSize];
  load(x, values);
  OnlineSum own;
#pragma unroll
  for (int j = 0; j < kSize; ++j) own.maximum = fmaxf(own.maximum, values[j]);
  if (own.maximum > total.maximum) {
    total.sum *= fast_exp(total.maximum - own.maximum);
    total.maximum = own.maximum;
  }
#pragma unroll
  for (int j = 0; j < kSize; ++j) total.sum += fast_exp(values[j] - total.maximum);
}

// The target's place among the logits of this rank, or -1.
__device__ int64_t place_of(int32_t target, const OwnIds& ids) {
  const int64_t place = target - ids.first;
  return target >= 0 && place >= 0 && place < ids.count ? place : -1;
}

// First element of a row that is aligned to a pack; all before go one by one.
template <typename T>
__device__ int64_t head_of(const T* row, int64_t size) {
  const auto address = reinterpret_cast<uintptr_t>(row);
  const auto behind = static_cast<int64_t>(address % kVectorBytes / sizeof(T));
  return min(size, behind == 0 ? int64_t{0} : kPack<T> - behind);
}

template <typename T>
__global__ void cross_entropy_sums_kernel(const T* logits, const int32_t* targets, int64_t rows,
                                          int64_t stride, OwnIds ids, float* maximum, float* sums) {
  const int64_t row = blockIdx.x, vocab = ids.count;
  const T* x = logits + row * stride;
  const int64_t head = head_of(x, vocab), wide = head + (vocab - head) / kPack<T> * kPack<T>;
  OnlineSum total;
  for (int64_t i = threadIdx.x; i < head; i += kRowThreads) add_logits<1>(x + i, total);
  for (int64_t i = head + threadIdx.x * kPack<T>; i < wide; i += kRowThreads * kPack<T>)
    add_logits<kPack<T>>(x + i, total);
  for (int64_t i = wide + threadIdx.x; i < vocab; i += kRowThreads) add_logits<1>(x + i, total);
  OnlineSum* of_warp = shared_memory<OnlineSum>();  // (warps)
  total = warp_merge(total);
  if (lane_of_thread() == 0) of_warp[warp_of_thread()] = total;
  __syncthreads();
  if (warp_of_thread() != 0) return;
  total =
      warp_merge(lane_of_thread() < kRowThreads / kWarp ? of_warp[lane_of_thread()] : OnlineSum());
  if (lane_of_thread() != 0) return;
  const int64_t place = place_of(targets[row], ids);
  maximum[row] = total.maximum;
  sums[row] = total.sum;
  sums[rows + row] = place >= 0 ? to_float(x[place]) - total.maximum : 0.0f;
}

struct Rescale {
  const int32_t* targets;
  const float *from, *to;
  float* sums;
  int64_t rows;
  OwnIds ids;
  template <int kSize>
  __device__ void run(int64_t row) const {
    const float shift = from[row] - to[row];  // at most 0
    sums[row] *= fast_exp(shift);
    if (place_of(targets[row], ids) >= 0) sums[rows + row] += shift;
  }
};

// to = the gradient of kSize logits; it may be x.
template <int kSize, typename T, typename To>
__device__ void logits_to_gradient(const T* x, int64_t target, float maximum, float scale, To* to) {
  float values[kSize];
  load(x, values);
#pragma unroll
  for (int j = 0; j < kSize; ++j)
    values[j] = fast_exp(values[j] - maximum) * scale - (j == target ? 1.0f : 0.0f);
  store(to, values);
}

// Rows [first_row, first_row + blocks): losses, and gradients at `to` where that is not null, rows
// of as many elements as those of the logits, which it may be.
template <typename T, typename To>
__global__ void cross_entropy_finish_kernel(const T* logits, const int32_t* targets, int64_t rows,
                                            int64_t stride, int64_t first_row, OwnIds ids,
                                            const float* maximum, const float* sums, float* loss,
                                            To* to) {
  const int64_t row = first_row + blockIdx.x, vocab = ids.count;
  const int32_t target = targets[row];
  if (threadIdx.x == 0) loss[row] = target < 0 ? 0.0f : logf(sums[row]) - sums[rows + row];
  if (to == nullptr) return;
  const T* x = logits + row * stride;
  To* gradient = to + (row - first_row) * stride;
  // Of two types both rows are aligned, as padded ones are, or all goes one by one.
  constexpr int kWide = kPack<To>;
  const bool are_both =
      (reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(gradient)) % kVectorBytes == 0;
  const int64_t head = std::is_same_v<T, To> ? head_of(x, vocab) : are_both ? 0 : vocab;
  const int64_t wide = head + (vocab - head) / kWide * kWide;
  const float highest = maximum[row], scale = 1 / sums[row];
  const int64_t place = place_of(target, ids);
  // A masked row: exp(-infinity) and a factor of 0 would keep what is not a number.
  const auto finish = [&]<int kSize>(int64_t i) {
    if (target < 0) {
      const float zeros[kSize] = {};
      store(gradient + i, zeros);
    } else {
      logits_to_gradient<kSize>(x + i, place < 0 ? -1 : place - i, highest, scale, gradient + i);
    }
  };
  for (int64_t i = threadIdx.x; i < head; i += kRowThreads) finish.template operator()<1>(i);
  for (int64_t i = head + threadIdx.x * kWide; i < wide; i += kRowThreads * kWide)
    finish.template operator()<kWide>(i);
  for (int64_t i = wide + threadIdx.x; i < vocab; i += kRowThreads)
    finish.template operator()<1>(i);
}

// Rows [begin, end) to the first rows of `to`.
template <typename T, typename To>
void finish_rows(const Tensor& logits, const Tensor& targets, const OwnIds& ids,
                 const Tensor& maximum, const Tensor& sums, const Tensor& loss, int64_t begin,
                 int64_t end, To* to) {
  launch(cuda_of(logits), "cross_entropy_finish", cross_entropy_finish_kernel<T, To>,
         {blocks_of(end - begin), kRowThreads}, logits.data<T>(), targets.data<int32_t>(),
         logits.dim(0), logits.dim(1), begin, ids, maximum.data<float>(), sums.data<float>(),
         loss.data<float>(), to);
}

}  // namespace

template <>
void detail::cross_entropy_sums<Device::cuda>(const Tensor& logits, const Tensor& targets,
                                              const OwnIds& ids, const Tensor& maximum,
                                              const Tensor& sums) {
  dispatch_cuda(logits.dtype(), [&]<typename T>() {
    launch(cuda_of(logits), "cross_entropy_sums", cross_entropy_sums_kernel<T>,
           {blocks_of(logits.dim(0)), kRowThreads, kWarp * static_cast<int64_t>(sizeof(OnlineSum))},
           logits.data<T>(), targets.data<int32_t>(), logits.dim(0), logits.dim(1), ids,
           maximum.data<float>(), sums.data<float>());
  });
}

template <>
void detail::cross_entropy_rescale<Device::cuda>(const Tensor& logits, const Tensor& targets,
                                                 const OwnIds& ids, const Tensor& from,
                                                 const Tensor& to, const Tensor& sums) {
  const Rescale op{targets.data<int32_t>(), from.data<float>(), to.data<float>(),
                   sums.data<float>(),      logits.dim(0),      ids};
  for_elements<1>(cuda_of(logits), "cross_entropy_rescale", logits.dim(0), false, op);
}

template <>
void detail::cross_entropy_finish<Device::cuda>(const Tensor& logits, const Tensor& targets,
                                                const OwnIds& ids, const Tensor& maximum,
                                                const Tensor& sums, const Tensor& loss,
                                                bool with_gradient) {
  dispatch_cuda(logits.dtype(), [&]<typename T>() {
    finish_rows<T, T>(logits, targets, ids, maximum, sums, loss, 0, logits.dim(0),
                      with_gradient ? logits.data<T>() : nullptr);
  });
}

// In one pass: rows go where rows before them were (for_shrinking_rows).
template <>
void detail::cross_entropy_finish_in_bf16<Device::cuda>(DeviceContext& ctx, const Tensor& logits,
                                                        const Tensor& targets, const OwnIds& ids,
                                                        const Tensor& maximum, const Tensor& sums,
                                                        const Tensor& loss,
                                                        const Tensor& gradient) {
  const auto finish = [&](int64_t begin, int64_t end, const Tensor& to) {
    finish_rows<float, bfloat16>(logits, targets, ids, maximum, sums, loss, begin, end,
                                 to.data<bfloat16>());
  };
  const Tensor first = ctx.empty({1, logits.dim(1)}, DType::bf16, MemoryCategory::workspace);
  finish(0, 1, first);
  copy<Device::cuda>(first, gradient.rows(0, 1));
  for_shrinking_rows(logits.dim(0), [&](int64_t begin, int64_t end) {
    finish(begin, end, gradient.rows(begin, end));
  });
}

}  // namespace argosy::ops
