// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Two streams of the first emulated device, an event between them, and what ran on them.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/cuda_emulation/streams.h"

namespace argosy::cuda_emulation {

struct TwoStreams : testing::Test {
  TwoStreams() {
    cudaSetDevice(0);
    cudaStreamCreateWithPriority(&compute, cudaStreamNonBlocking, 0);
    cudaStreamCreateWithPriority(&other, cudaStreamNonBlocking, 0);
    cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  }
  ~TwoStreams() override {
    cudaDeviceSynchronize();
    cudaEventDestroy(event);
    cudaStreamDestroy(other);
    cudaStreamDestroy(compute);
    reset_devices();
  }
  // Comes into `order` when it runs.
  void put(cudaStream_t stream, int number) {
    ASSERT_EQ(enqueue(stream, [this, number] { order.push_back(number); }), cudaSuccess);
  }
  void wait(cudaStream_t waits, cudaStream_t for_stream) {
    cudaEventRecord(event, for_stream);
    EXPECT_EQ(cudaStreamWaitEvent(waits, event, 0), cudaSuccess);
  }

  cudaStream_t compute = nullptr, other = nullptr;
  cudaEvent_t event = nullptr;
  std::vector<int> order;
};

}  // namespace argosy::cuda_emulation
