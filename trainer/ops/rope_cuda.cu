// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"
#include "trainer/ops/rope.h"

namespace argosy::ops::detail {
namespace {

__device__ inline void turn(float& first, float& second, float cosine, float signed_sine) {
  const float turned = first * cosine - second * signed_sine;
  second = second * cosine + first * signed_sine;
  first = turned;
}

// Of the kSize pairs in two packs: element j of one with that of the other, or neighbours.
template <bool kInterleaved, int kSize>
__device__ void turn_packs(float (&a)[kSize], float (&b)[kSize], const float (&cosine)[kSize],
                           const float (&sine)[kSize], float direction) {
#pragma unroll
  for (int j = 0; j < kSize; ++j) {
    if constexpr (kInterleaved && kSize > 1) {
      float(&pack)[kSize] = j < kSize / 2 ? a : b;
      const int first = 2 * j % kSize;
      turn(pack[first], pack[first + 1], cosine[j], direction * sine[j]);
    } else {
      turn(a[j], b[j], cosine[j], direction * sine[j]);
    }
  }
}

// A thread turns kSize pairs of a head, which lie in two packs of kSize elements. What it turns by
// follows from its row's position: by then the pairs are on their way.
template <int kSize, bool kInterleaved, typename T>
__global__ void rope_kernel(T* x, int64_t packs, int64_t num_heads, RopePart part,
                            const int32_t* __restrict__ positions, const float* __restrict__ cos,
                            const float* __restrict__ sin, int64_t num_positions, float direction) {
  const int64_t half = part.size / 2, packs_of_head = half / kSize;
  for (int64_t i = thread_of_grid(); i < packs; i += threads_of_grid()) {
    const int64_t head = i / packs_of_head, column = i % packs_of_head * kSize;
    T* first = x + head * part.head_dim + part.begin + (kInterleaved ? 2 * column : column);
    T* second = first + (kInterleaved ? kSize : half);
    float a[kSize], b[kSize], cosine[kSize], sine[kSize];
    load(first, a);
    load(second, b);
    const int64_t position = positions[head / num_heads];
    require(position >= 0 && position < num_positions);
    load(cos + position * half + column, cosine);
    load(sin + position * half + column, sine);
    turn_packs<kInterleaved>(a, b, cosine, sine, direction);
    store(first, a);
    store(second, b);
  }
}

}  // namespace

// Once a run: the CPU's own table, so that devices turn by the same bits.
template <>
void fill_rope_table<Device::cuda>(const std::vector<double>& inverse_frequencies, double factor,
                                   const RopeTable& table) {
  refuse_fp64(table.cos.dtype());
  DeviceContext host(Device::cpu);
  const auto host_copy = [&](const Tensor& x) {
    return host.empty(x.shape(), x.dtype(), MemoryCategory::workspace);
  };
  const RopeTable on_host{host_copy(table.cos), host_copy(table.sin)};
  fill_rope_table<Device::cpu>(inverse_frequencies, factor, on_host);
  backend_of(table.cos).upload(on_host.cos.raw(), table.cos.raw(), table.cos.bytes());
  backend_of(table.sin).upload(on_host.sin.raw(), table.sin.raw(), table.sin.bytes());
}

template <>
void rope<Device::cuda>(const Tensor& x, const RopePart& part, const Tensor& positions,
                        const RopeTable& table, bool inverse) {
  const CudaDevice& device = cuda_of(x);
  const int64_t num_heads = x.dim(1) / part.head_dim, half = part.size / 2;
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    const auto run = [&]<int kSize>(auto kernel) {
      constexpr int kThreads = 256;
      const int64_t packs = x.dim(0) * num_heads * (half / kSize);
      launch(device, "rope", kernel,
             {striding_blocks(device, ceil_div(packs, kThreads), kThreads), kThreads}, x.data<T>(),
             packs, num_heads, part, positions.data<int32_t>(), table.cos.data<float>(),
             table.sin.data<float>(), table.cos.dim(0), inverse ? -1.0f : 1.0f);
    };
    constexpr int kWide = kPack<T>;
    const bool is_wide = are_aligned(x.raw(), table.cos.raw(), table.sin.raw()) &&
                         part.head_dim % kWide == 0 && part.begin % kWide == 0 && half % kWide == 0;
    if (is_wide) {
      run.template operator()<kWide>(part.interleaved ? rope_kernel<kWide, true, T>
                                                      : rope_kernel<kWide, false, T>);
    } else {
      run.template operator()<1>(part.interleaved ? rope_kernel<1, true, T>
                                                  : rope_kernel<1, false, T>);
    }
  });
}

}  // namespace argosy::ops::detail
