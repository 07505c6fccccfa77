// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/philox.h"
#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"
#include "trainer/ops/dropout.h"

namespace argosy::ops {
namespace {

// Numbers of 32 bits in one Philox block: one a channel.
constexpr int kBlock = 4;

struct Key {
  uint64_t seed, stream;
  const int32_t* step;
};

// A thread has the channels of one Philox block: 8 bytes of bf16, 16 of fp32.
template <bool kAligned, typename T>
__global__ void dropout_kernel(T* x, const int32_t* row_ids, int64_t rows, int64_t cols,
                               Key of_steps, uint32_t threshold, float scale) {
  const uint64_t key =
      random_bits(of_steps.seed, of_steps.stream, static_cast<uint64_t>(int64_t{*of_steps.step}));
  const int64_t blocks_of_row = (cols + kBlock - 1) / kBlock;
  for (int64_t i = thread_of_grid(); i < rows * blocks_of_row; i += threads_of_grid()) {
    const int64_t row = i / blocks_of_row, block = i % blocks_of_row, c = block * kBlock;
    const PhiloxBlock bits =
        philox(key, static_cast<uint64_t>(int64_t{row_ids[row]}), static_cast<uint64_t>(block));
    T* at = x + row * cols + c;
    const auto value = [&](T old, int j) {
      return from_float<T>(bits[static_cast<size_t>(j)] >= threshold ? to_float(old) * scale
                                                                     : 0.0f);
    };
    if constexpr (kAligned) {
      struct alignas(kBlock * sizeof(T)) Pack {
        T values[kBlock];
      };
      Pack pack = *reinterpret_cast<const Pack*>(at);
#pragma unroll
      for (int j = 0; j < kBlock; ++j) pack.values[j] = value(pack.values[j], j);
      *reinterpret_cast<Pack*>(at) = pack;
    } else {
      for (int j = 0; j < kBlock && c + j < cols; ++j) at[j] = value(at[j], j);
    }
  }
}

}  // namespace

template <>
void detail::dropout<Device::cuda>(const Tensor& x, const Tensor& row_ids, const DropoutKey& key,
                                   double p) {
  const CudaDevice& device = cuda_of(x);
  const int64_t rows = x.dim(0), cols = x.dim(1);
  const auto threshold = static_cast<uint32_t>(p * 0x1p32);  // below it: dropped
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    const auto run = [&]<bool kAligned>() {
      constexpr int kThreads = 256;
      launch(device, "dropout", dropout_kernel<kAligned, T>,
             {striding_blocks(device, ceil_div(rows * ceil_div(cols, kBlock), kThreads), kThreads),
              kThreads},
             x.data<T>(), row_ids.data<int32_t>(), rows, cols,
             Key{key.seed, key.stream, key.step.data<int32_t>()}, threshold,
             static_cast<float>(1 / (1 - p)));
    };
    if (are_aligned(x.raw()) && cols % kBlock == 0) {
      run.template operator()<true>();
    } else {
      run.template operator()<false>();
    }
  });
}

}  // namespace argosy::ops
