// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A block has a row of logits: read once for maximum and sum (an online softmax a thread), once
// more for the gradient that takes their place.
#include <limits>

#include "trainer/ops/cross_entropy.h"
#include "trainer/ops/cuda_elements.cuh"

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
__device__ int64_t place_of(int32_t target, int64_t first_id, int64_t vocab) {
  const int64_t place = target - first_id;
  return target >= 0 && place >= 0 && place < vocab ? place : -1;
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
                                          int64_t vocab, int64_t first_id, float* maximum,
                                          float* sums) {
  const int64_t row = blockIdx.x;
  const T* x = logits + row * vocab;
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
  const int64_t place = place_of(targets[row], first_id, vocab);
  maximum[row] = total.maximum;
  sums[row] = total.sum;
  sums[rows + row] = place >= 0 ? to_float(x[place]) - total.maximum : 0.0f;
}

struct Rescale {
  const int32_t* targets;
  const float *from, *to;
  float* sums;
  int64_t rows, vocab, first_id;
  template <int kSize>
  __device__ void run(int64_t row) const {
    const float shift = from[row] - to[row];  // at most 0
    sums[row] *= fast_exp(shift);
    if (place_of(targets[row], first_id, vocab) >= 0) sums[rows + row] += shift;
  }
};

template <int kSize, typename T>
__device__ void logits_to_gradient(T* x, int64_t target, float maximum, float scale) {
  float values[kSize];
  load(x, values);
#pragma unroll
  for (int j = 0; j < kSize; ++j)
    values[j] = fast_exp(values[j] - maximum) * scale - (j == target ? 1.0f : 0.0f);
  store(x, values);
}

template <typename T>
__global__ void cross_entropy_finish_kernel(T* logits, const int32_t* targets, int64_t rows,
                                            int64_t vocab, int64_t first_id, const float* maximum,
                                            const float* sums, float* loss, bool with_gradient) {
  const int64_t row = blockIdx.x;
  const int32_t target = targets[row];
  if (threadIdx.x == 0) loss[row] = target < 0 ? 0.0f : logf(sums[row]) - sums[rows + row];
  if (!with_gradient) return;
  T* x = logits + row * vocab;
  const int64_t head = head_of(x, vocab), wide = head + (vocab - head) / kPack<T> * kPack<T>;
  const float highest = maximum[row], scale = 1 / sums[row];
  const int64_t place = place_of(target, first_id, vocab);
  // A masked row: exp(-infinity) and a factor of 0 would keep what is not a number.
  const auto finish = [&]<int kSize>(int64_t i) {
    if (target < 0) {
      const float zeros[kSize] = {};
      store(x + i, zeros);
    } else {
      logits_to_gradient<kSize>(x + i, place < 0 ? -1 : place - i, highest, scale);
    }
  };
  for (int64_t i = threadIdx.x; i < head; i += kRowThreads) finish.template operator()<1>(i);
  for (int64_t i = head + threadIdx.x * kPack<T>; i < wide; i += kRowThreads * kPack<T>)
    finish.template operator()<kPack<T>>(i);
  for (int64_t i = wide + threadIdx.x; i < vocab; i += kRowThreads)
    finish.template operator()<1>(i);
}

}  // namespace

template <>
void detail::cross_entropy_sums<Device::cuda>(const Tensor& logits, const Tensor& targets,
                                              int64_t first_id, const Tensor& maximum,
                                              const Tensor& sums) {
  dispatch_cuda(logits.dtype(), [&]<typename T>() {
    launch(cuda_of(logits), "cross_entropy_sums", cross_entropy_sums_kernel<T>,
           {blocks_of(logits.dim(0)), kRowThreads, kWarp * static_cast<int64_t>(sizeof(OnlineSum))},
           logits.data<T>(), targets.data<int32_t>(), logits.dim(0), logits.dim(1), first_id,
           maximum.data<float>(), sums.data<float>());
  });
}

template <>
void detail::cross_entropy_rescale<Device::cuda>(const Tensor& logits, const Tensor& targets,
                                                 int64_t first_id, const Tensor& from,
                                                 const Tensor& to, const Tensor& sums) {
  const Rescale op{
      targets.data<int32_t>(), from.data<float>(), to.data<float>(), sums.data<float>(),
      logits.dim(0),           logits.dim(1),      first_id};
  for_elements<1>(cuda_of(logits), "cross_entropy_rescale", logits.dim(0), false, op);
}

template <>
void detail::cross_entropy_finish<Device::cuda>(const Tensor& logits, const Tensor& targets,
                                                int64_t first_id, const Tensor& maximum,
                                                const Tensor& sums, const Tensor& loss,
                                                bool with_gradient) {
  dispatch_cuda(logits.dtype(), [&]<typename T>() {
    launch(cuda_of(logits), "cross_entropy_finish", cross_entropy_finish_kernel<T>,
           {blocks_of(logits.dim(0)), kRowThreads}, logits.data<T>(), targets.data<int32_t>(),
           logits.dim(0), logits.dim(1), first_id, maximum.data<float>(), sums.data<float>(),
           loss.data<float>(), with_gradient);
  });
}

}  // namespace argosy::ops
