// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/cuda_kernel.cuh"
#include "trainer/ops/cuda_launch.cuh"
#include "trainer/ops/rope.h"

namespace argosy::ops::detail {
namespace {

// A thread turns kSize pairs of a head. What it turns by follows from its row's position: by then
// the pairs are on their way.
template <int kSize, typename T>
__global__ void rope_kernel(T* x, int64_t packs, int64_t num_heads,
                            const int32_t* __restrict__ positions, const float* __restrict__ cos,
                            const float* __restrict__ sin, int64_t num_positions, float direction,
                            int64_t half) {
  const int64_t packs_of_head = half / kSize;
  for (int64_t i = thread_of_grid(); i < packs; i += threads_of_grid()) {
    const int64_t head = i / packs_of_head, column = i % packs_of_head * kSize;
    T* first = x + head * 2 * half + column;
    float a[kSize], b[kSize], cosine[kSize], sine[kSize];
    load(first, a);
    load(first + half, b);
    const int64_t position = positions[head / num_heads];
    require(position >= 0 && position < num_positions);
    load(cos + position * half + column, cosine);
    load(sin + position * half + column, sine);
#pragma unroll
    for (int j = 0; j < kSize; ++j) {
      const float turned = a[j] * cosine[j] - b[j] * direction * sine[j];
      b[j] = b[j] * cosine[j] + a[j] * direction * sine[j];
      a[j] = turned;
    }
    store(first, a);
    store(first + half, b);
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
void rope<Device::cuda>(const Tensor& x, int64_t num_heads, const Tensor& positions,
                        const RopeTable& table, bool inverse) {
  const CudaDevice& device = cuda_of(x);
  const int64_t rows = x.dim(0), half = table.cos.dim(1);
  dispatch_cuda(x.dtype(), [&]<typename T>() {
    const auto run = [&]<int kSize>() {
      constexpr int kThreads = 256;
      const int64_t packs = rows * num_heads * (half / kSize);
      launch(device, "rope", rope_kernel<kSize, T>,
             {striding_blocks(device, ceil_div(packs, kThreads), kThreads), kThreads}, x.data<T>(),
             packs, num_heads, positions.data<int32_t>(), table.cos.data<float>(),
             table.sin.data<float>(), table.cos.dim(0), inverse ? -1.0f : 1.0f, half);
    };
    if (are_aligned(x.raw(), table.cos.raw(), table.sin.raw()) && half % kPack<T> == 0) {
      run.template operator()<kPack<T>>();
    } else {
      run.template operator()<1>();
    }
  });
}

}  // namespace argosy::ops::detail
