// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Work of a stream that nothing waits for is seen too early or too late.
#include "tests/support/cuda_emulation/two_streams.h"

#include <algorithm>
#include <thread>

namespace argosy::cuda_emulation {
namespace {

struct StreamOrder : TwoStreams {
  std::vector<int> order_after(Timing timing, bool other_waits, bool compute_waits) {
    set_timing(timing);
    order.clear();
    put(compute, 1);
    if (other_waits) wait(other, compute);
    put(other, 2);
    if (compute_waits) wait(compute, other);
    put(compute, 3);
    cudaEvent_t end = nullptr;
    cudaEventCreateWithFlags(&end, cudaEventDisableTiming);
    cudaEventRecord(end, compute);
    while (cudaEventQuery(end) == cudaErrorNotReady) {
    }
    cudaEventDestroy(end);
    return order;
  }
};

TEST_F(StreamOrder, WhatIsOrderedIsInOrder) {
  for (const Timing timing :
       {Timing::early, Timing::late, Timing::compute_late, Timing::others_late, Timing::seeded}) {
    EXPECT_EQ(order_after(timing, true, true), (std::vector<int>{1, 2, 3}));
  }
}

TEST_F(StreamOrder, AMissingWaitShows) {
  EXPECT_EQ(order_after(Timing::compute_late, false, true), (std::vector<int>{2, 1, 3}));
  cudaDeviceSynchronize();
  EXPECT_EQ(order_after(Timing::others_late, true, false), (std::vector<int>{1, 3}));
  cudaDeviceSynchronize();
  EXPECT_EQ(order, (std::vector<int>{1, 3, 2}));
}

TEST_F(StreamOrder, SeedsDiffer) {
  std::vector<std::vector<int>> orders;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    set_timing(Timing::seeded, seed);
    order.clear();
    for (int i = 0; i < 3; ++i) {
      put(compute, i);
      put(other, 10 + i);
    }
    cudaDeviceSynchronize();
    orders.push_back(order);
  }
  EXPECT_NE(std::count(orders.begin(), orders.end(), orders[0]), 20);
}

// Each rank's part begins when its stream has come to it.
TEST_F(StreamOrder, AMeetingWaitsForAll) {
  set_timing(Timing::late);
  int met_at = 0;
  const auto meeting = std::make_shared<Meeting>(2);
  meeting->work = [&] { met_at = static_cast<int>(order.size()); };
  std::shared_ptr<Task> first, second;
  put(compute, 1);
  put(other, 2);
  enqueue_meetings(compute, {meeting}, &first);
  cudaEventRecord(event, compute);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(cudaEventQuery(event), cudaErrorNotReady);
  enqueue_meetings(other, {meeting}, &second);
  while (cudaEventQuery(event) == cudaErrorNotReady) {
  }
  EXPECT_EQ(met_at, 2);
}

TEST_F(StreamOrder, AFailureSticksToItsDevice) {
  set_timing(Timing::late);
  fail_later(0, 1, cudaErrorIllegalAddress);
  put(compute, 1);
  put(compute, 2);
  put(compute, 3);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_EQ(order, std::vector<int>{1});
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 8), cudaErrorIllegalAddress);
  cudaSetDevice(1);
  EXPECT_EQ(cudaMalloc(&memory, 8), cudaSuccess);
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
  cudaSetDevice(0);
}

// The host would stand still while pageable memory is copied.
TEST_F(StreamOrder, CopiesOfTheHostArePinned) {
  void* device = nullptr;
  ASSERT_EQ(cudaMalloc(&device, 16), cudaSuccess);
  int pageable[4] = {};
  EXPECT_EQ(cudaMemcpyAsync(device, pageable, 16, cudaMemcpyHostToDevice, compute),
            cudaErrorInvalidValue);
  void* pinned = nullptr;
  ASSERT_EQ(cudaHostAlloc(&pinned, 16, cudaHostAllocDefault), cudaSuccess);
  EXPECT_EQ(cudaMemcpyAsync(device, pinned, 16, cudaMemcpyHostToDevice, compute), cudaSuccess);
  EXPECT_EQ(cudaMemcpyAsync(device, pinned, 17, cudaMemcpyHostToDevice, compute),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(device), cudaSuccess);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
}

// CUDA says so of a single row too, whose distance to the next one means nothing.
TEST_F(StreamOrder, RowsOfACopyAreNotCloserThanTheyAreWide) {
  void *device = nullptr, *pinned = nullptr;
  ASSERT_EQ(cudaMalloc(&device, 16), cudaSuccess);
  ASSERT_EQ(cudaHostAlloc(&pinned, 16, cudaHostAllocDefault), cudaSuccess);
  const auto copy = [&](size_t pitch) {
    return cudaMemcpy2DAsync(device, pitch, pinned, 8, 8, 1, cudaMemcpyHostToDevice, compute);
  };
  EXPECT_EQ(copy(7), cudaErrorInvalidPitchValue);
  EXPECT_EQ(copy(8), cudaSuccess);
  EXPECT_EQ(copy(size_t{1} << 31), cudaErrorInvalidPitchValue);
  EXPECT_EQ(cudaFree(device), cudaSuccess);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
}

}  // namespace
}  // namespace argosy::cuda_emulation
