// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the emulation is for: each mistake that a kernel can make must be seen.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <vector>

#include "planner/spec/check.h"
#include "tests/support/cuda_emulation/emulation.h"

extern __shared__ uint4 argosy_dynamic_shared[];

namespace argosy {
namespace {

using cuda_emulation::Order;

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), unsigned blocks, unsigned threads, size_t shared_bytes,
            Arguments... arguments) {
  cudaLaunchConfig_t config;
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared_bytes;
  ASSERT_EQ(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...),
            cudaSuccess);
}

// What body() gives in each order of threads.
template <typename Body>
std::vector<std::vector<float>> in_orders(const Body& body) {
  std::vector<std::vector<float>> results;
  for (const Order order : {Order::ascending, Order::descending, Order::shuffled}) {
    cuda_emulation::set_order(order, 3);
    results.push_back(body());
  }
  cuda_emulation::set_order(Order::ascending);
  return results;
}

// Each thread takes its neighbour's number.
__global__ void rotate(float* x, bool barrier) {
  float* shared = reinterpret_cast<float*>(argosy_dynamic_shared);
  shared[threadIdx.x] = x[threadIdx.x];
  if (barrier) __syncthreads();
  x[threadIdx.x] = shared[(threadIdx.x + 1) % blockDim.x];
}

std::vector<float> rotated(bool barrier) {
  std::vector<float> x(96);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  launch(rotate, 1, 96, 96 * sizeof(float), x.data(), barrier);
  return x;
}

TEST(CudaEmulation, AMissingBarrierShows) {
  const auto right = in_orders([] { return rotated(true); });
  EXPECT_EQ(right[0][0], 1);
  EXPECT_EQ(right[0][95], 0);
  EXPECT_EQ(right[0], right[1]);
  EXPECT_EQ(right[0], right[2]);
  const auto wrong = in_orders([] { return rotated(false); });
  EXPECT_NE(wrong[0], right[0]);
  EXPECT_NE(wrong[1], right[0]);
  EXPECT_NE(wrong[2], right[0]);
}

// The last block to add wins the float's order.
__global__ void append(float* x, int* count) {
  if (threadIdx.x == 0) x[atomicAdd(count, 1)] = static_cast<float>(blockIdx.x);
}

TEST(CudaEmulation, AnOrderOfBlocksShows) {
  const auto results = in_orders([] {
    std::vector<float> x(5);
    int count = 0;
    launch(append, 5, 32, 0, x.data(), &count);
    EXPECT_EQ(count, 5);
    return x;
  });
  EXPECT_EQ(results[0], (std::vector<float>{0, 1, 2, 3, 4}));
  EXPECT_EQ(results[1], (std::vector<float>{4, 3, 2, 1, 0}));
  EXPECT_NE(results[2], results[0]);
}

__global__ void half_waits() {
  if (threadIdx.x < 32) __syncthreads();
}
__global__ void half_shuffles(float* x) {
  if (threadIdx.x < 16) x[threadIdx.x] = __shfl_xor_sync(0xffffffffu, x[threadIdx.x], 1);
}
__global__ void names_few_lanes(float* x) {
  x[threadIdx.x] = __shfl_xor_sync(0xffffu, x[threadIdx.x], 1);
}
__global__ void mixes(float* x) {
  if (threadIdx.x % 2 == 0) {
    x[threadIdx.x] = __shfl_xor_sync(0xffffffffu, x[threadIdx.x], 1);
  } else {
    x[threadIdx.x] = static_cast<float>(__ballot_sync(0xffffffffu, 1));
  }
}

TEST(CudaEmulation, BarriersAndCollectivesThatNotAllReachAreErrors) {
  std::vector<float> x(64);
  EXPECT_THROW(launch(half_waits, 1, 64, 0), std::logic_error);
  EXPECT_THROW(launch(half_shuffles, 1, 32, 0, x.data()), std::logic_error);
  EXPECT_THROW(launch(names_few_lanes, 1, 32, 0, x.data()), std::logic_error);
  EXPECT_THROW(launch(mixes, 1, 32, 0, x.data()), std::logic_error);
  EXPECT_NO_THROW(rotated(true)) << "a kernel after one that failed";
}

__global__ void write_shared(int at) {
  if (threadIdx.x == 0) reinterpret_cast<volatile float*>(argosy_dynamic_shared)[at] = 1;
}
__global__ void read_shared(float* x) {
  x[threadIdx.x] = reinterpret_cast<float*>(argosy_dynamic_shared)[threadIdx.x];
}

TEST(CudaEmulation, SharedMemoryHasAnEndAndNoPast) {
  EXPECT_NO_THROW(launch(write_shared, 1, 32, 32, 7));
#ifndef __SANITIZE_ADDRESS__  // which ends the program
  EXPECT_THROW(launch(write_shared, 1, 32, 32, 8), std::logic_error);
#endif
  std::vector<float> x(32);
  launch(read_shared, 1, 32, 128, x.data());
  for (const float value : x) EXPECT_NE(value, value);  // NaN
}

TEST(CudaEmulation, MuchSharedMemoryIsAskedFor) {
  std::vector<float> x(32);
  cudaLaunchConfig_t config;
  config.blockDim = dim3(32);
  config.dynamicSmemBytes = 64 * 1024;
  EXPECT_EQ(cudaLaunchKernelEx(&config, read_shared, x.data()), cudaErrorInvalidValue);
  EXPECT_EQ(
      cudaFuncSetAttribute(read_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, 64 * 1024),
      cudaSuccess);
  EXPECT_EQ(cudaLaunchKernelEx(&config, read_shared, x.data()), cudaSuccess);
}

__global__ void collectives(float* sums, unsigned* ballots) {
  float value = static_cast<float>(threadIdx.x);
  for (int bit = 16; bit > 0; bit /= 2) value += __shfl_xor_sync(0xffffffffu, value, bit);
  sums[threadIdx.x] = value;
  ballots[threadIdx.x] = __ballot_sync(0xffffffffu, threadIdx.x % 3 == 0);
}

TEST(CudaEmulation, CollectivesAreTheWarps) {
  const auto results = in_orders([] {
    std::vector<float> sums(64);
    std::vector<unsigned> ballots(64);
    launch(collectives, 1, 64, 0, sums.data(), ballots.data());
    EXPECT_EQ(ballots[5], 0x49249249u);
    EXPECT_EQ(ballots[40], 0x92492492u);
    return sums;
  });
  for (const auto& sums : results) {
    EXPECT_EQ(sums[3], 496);
    EXPECT_EQ(sums[35], 1520);
  }
}

}  // namespace
}  // namespace argosy
