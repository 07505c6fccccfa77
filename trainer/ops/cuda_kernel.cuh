// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What kernels share: values in and out of memory 16 bytes at a time, and sums over warps and
// blocks whose order is fixed, so that a second run gives the same bits.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "planner/spec/bfloat16.h"

// Shared memory of the block, sized by the launch.
extern __shared__ uint4 argosy_dynamic_shared[];

namespace argosy::ops {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;

template <typename T>
__device__ T* shared_memory() {
  return reinterpret_cast<T*>(argosy_dynamic_shared);
}

__device__ inline float to_float(float value) {
  return value;
}
__device__ inline float to_float(bfloat16 value) {
  return __uint_as_float(static_cast<unsigned>(value.bits) << 16);
}
template <typename T>
__device__ T from_float(float value);
template <>
__device__ inline float from_float<float>(float value) {
  return value;
}
template <>
__device__ inline bfloat16 from_float<bfloat16>(float value) {
  bfloat16 result;
  result.bits = __bfloat16_as_ushort(__float2bfloat16_rn(value));
  return result;
}

// Elements that a thread takes at a time: 16 bytes of T or, where T meets fp32, of bf16.
template <typename T>
inline constexpr int kPack = 16 / static_cast<int>(sizeof(T));

// kSize elements of T as they lie in memory: whole 16 bytes or fewer elements, in registers until
// they are computed with. So a thread has many loads on their way and few registers in use.
template <typename T, int kSize>
struct Raw {
  T values[kSize];
};
template <>
struct Raw<float, 4> {
  uint4 words;
};
template <>
struct Raw<bfloat16, 8> {
  uint4 words;
};
template <>
struct Raw<bfloat16, 4> {
  uint2 words;
};
template <int kSize, typename T>
__device__ Raw<T, kSize> load_raw(const T* from) {
  if constexpr (sizeof(Raw<T, kSize>) >= sizeof(uint2)) {
    return *reinterpret_cast<const Raw<T, kSize>*>(from);
  } else {
    Raw<T, kSize> raw;
#pragma unroll
    for (int i = 0; i < kSize; ++i) raw.values[i] = from[i];
    return raw;
  }
}

__device__ inline void unpack_pair(unsigned pair, float& low, float& high) {
  low = __uint_as_float(pair << 16);
  high = __uint_as_float(pair & 0xffff0000u);
}
template <typename T, int kSize>
__device__ void unpack(const Raw<T, kSize>& raw, float (&values)[kSize]) {
#pragma unroll
  for (int i = 0; i < kSize; ++i) values[i] = to_float(raw.values[i]);
}
__device__ inline void unpack(const Raw<float, 4>& raw, float (&values)[4]) {
  values[0] = __uint_as_float(raw.words.x), values[1] = __uint_as_float(raw.words.y);
  values[2] = __uint_as_float(raw.words.z), values[3] = __uint_as_float(raw.words.w);
}
__device__ inline void unpack(const Raw<bfloat16, 8>& raw, float (&values)[8]) {
  unpack_pair(raw.words.x, values[0], values[1]), unpack_pair(raw.words.y, values[2], values[3]);
  unpack_pair(raw.words.z, values[4], values[5]), unpack_pair(raw.words.w, values[6], values[7]);
}
__device__ inline void unpack(const Raw<bfloat16, 4>& raw, float (&values)[4]) {
  unpack_pair(raw.words.x, values[0], values[1]), unpack_pair(raw.words.y, values[2], values[3]);
}

// values = the kSize elements at `from`, which is aligned to their bytes or to 16.
template <int kSize>
__device__ void load(const float* from, float (&values)[kSize]) {
  if constexpr (kSize % 4 == 0) {
#pragma unroll
    for (int i = 0; i < kSize; i += 4) {
      const float4 four = *reinterpret_cast<const float4*>(from + i);
      values[i] = four.x, values[i + 1] = four.y, values[i + 2] = four.z, values[i + 3] = four.w;
    }
  } else {
#pragma unroll
    for (int i = 0; i < kSize; ++i) values[i] = from[i];
  }
}
template <int kSize>
__device__ void load(const bfloat16* from, float (&values)[kSize]) {
  static_assert(kSize <= 8);
  unpack(load_raw<kSize>(from), values);
}

__device__ inline unsigned bf16_pair(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return static_cast<unsigned>(__bfloat16_as_ushort(pair.x)) |
         static_cast<unsigned>(__bfloat16_as_ushort(pair.y)) << 16;
}

template <int kSize>
__device__ void store(float* to, const float (&values)[kSize]) {
  if constexpr (kSize % 4 == 0) {
#pragma unroll
    for (int i = 0; i < kSize; i += 4) {
      *reinterpret_cast<float4*>(to + i) = {values[i], values[i + 1], values[i + 2], values[i + 3]};
    }
  } else {
#pragma unroll
    for (int i = 0; i < kSize; ++i) to[i] = values[i];
  }
}
template <int kSize>
__device__ void store(bfloat16* to, const float (&values)[kSize]) {
  if constexpr (kSize % 8 == 0) {
#pragma unroll
    for (int i = 0; i < kSize; i += 8) {
      *reinterpret_cast<uint4*>(to + i) = {
          bf16_pair(values[i], values[i + 1]), bf16_pair(values[i + 2], values[i + 3]),
          bf16_pair(values[i + 4], values[i + 5]), bf16_pair(values[i + 6], values[i + 7])};
    }
  } else {
#pragma unroll
    for (int i = 0; i < kSize; ++i) to[i] = from_float<bfloat16>(values[i]);
  }
}

// Ends the program where a number from outside would lead beyond a tensor: CUDA has no exceptions,
// and the next call on the host reports "unspecified launch failure" or a trap.
__device__ inline void require(bool condition) {
  if (!condition) __trap();
}

// e^x by the special function unit: relative error below 2e-6 where the result counts.
__device__ inline float fast_exp(float x) {
  return __expf(x);
}
__device__ inline float sigmoid(float x) {
  return __fdividef(1.0f, 1.0f + fast_exp(-x));
}

__device__ inline int lane_of_thread() {
  return static_cast<int>(threadIdx.x) % kWarp;
}
__device__ inline int warp_of_thread() {
  return static_cast<int>(threadIdx.x) / kWarp;
}
__device__ inline int64_t thread_of_grid() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline int64_t threads_of_grid() {
  return static_cast<int64_t>(gridDim.x) * blockDim.x;
}

// Over groups of kLanes neighbouring lanes, a power of two; every lane of a group gets the same
// bits, since a + b = b + a.
template <int kLanes, typename T>
__device__ T lanes_sum(T value) {
#pragma unroll
  for (int bit = kLanes / 2; bit > 0; bit /= 2) value += __shfl_xor_sync(kAllLanes, value, bit);
  return value;
}
template <int kLanes>
__device__ float lanes_max(float value) {
#pragma unroll
  for (int bit = kLanes / 2; bit > 0; bit /= 2)
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, bit));
  return value;
}
template <typename T>
__device__ T warp_sum(T value) {
  return lanes_sum<kWarp>(value);
}
__device__ inline float warp_max(float value) {
  return lanes_max<kWarp>(value);
}

// Over the threads of a block, the same bits for each; scratch: kWarp elements of shared memory.
template <typename T>
__device__ T block_sum(T value, T* scratch) {
  value = warp_sum(value);
  if (lane_of_thread() == 0) scratch[warp_of_thread()] = value;
  __syncthreads();
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  value = warp_sum(lane_of_thread() < warps ? scratch[lane_of_thread()] : T(0));
  __syncthreads();  // scratch may be used again
  return value;
}

}  // namespace argosy::ops
