// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Captures: nothing runs before a launch, every launch runs all of it in the order of its edges and
// no other, and what no capture allows spoils it.
#include "tests/support/cuda_emulation/graphs.h"

#include "tests/support/cuda_emulation/two_streams.h"

namespace argosy::cuda_emulation {
namespace {

struct Captures : TwoStreams {
  ~Captures() override {
    if (exec != nullptr) cudaGraphExecDestroy(exec);
  }
  void begin() {
    ASSERT_EQ(cudaStreamBeginCapture(compute, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  }
  cudaError_t end() {
    cudaGraph_t graph = nullptr;
    const cudaError_t code = cudaStreamEndCapture(compute, &graph);
    if (code != cudaSuccess) return code;
    size_t count = 0;
    cudaGraphGetNodes(graph, nullptr, &count);
    num_nodes = static_cast<int>(count);
    EXPECT_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
    return cudaGraphDestroy(graph);
  }
  // 1, then 2 beside 3, then 4.
  void fork_and_join(bool forks, bool joins) {
    put(compute, 1);
    if (forks) wait(other, compute);
    put(other, 2);
    put(compute, 3);
    if (joins) wait(compute, other);
    put(compute, 4);
  }
  std::vector<int> launched(Timing timing) {
    set_timing(timing);
    order.clear();
    EXPECT_EQ(cudaGraphLaunch(exec, compute), cudaSuccess);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    return order;
  }
  cudaGraphExec_t exec = nullptr;
  int num_nodes = 0;
};

TEST_F(Captures, RunWithEachLaunchAndNotBefore) {
  begin();
  fork_and_join(true, true);
  ASSERT_EQ(end(), cudaSuccess);
  EXPECT_EQ(num_nodes, 4);
  cudaDeviceSynchronize();
  EXPECT_TRUE(order.empty());
  EXPECT_EQ(launched(Timing::early), (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(launched(Timing::others_late), (std::vector<int>{1, 3, 2, 4}));
  put(other, 5);  // both streams are as before
  cudaDeviceSynchronize();
  EXPECT_EQ(order.back(), 5);
}

TEST_F(Captures, EndsOnlyWhenAllIsJoined) {
  begin();
  fork_and_join(true, false);
  EXPECT_EQ(end(), cudaErrorStreamCaptureUnjoined);
  begin();
  fork_and_join(true, true);
  put(other, 5);  // behind the join
  EXPECT_EQ(end(), cudaErrorStreamCaptureUnjoined);
}

TEST_F(Captures, AreSpoiltByWhatTheyDoNotAllow) {
  void* memory = nullptr;
  ASSERT_EQ(cudaMalloc(&memory, 64), cudaSuccess);
  const std::vector<std::pair<const char*, std::function<cudaError_t()>>> calls = {
      {"cudaMalloc",
       [] {
         void* block = nullptr;
         return cudaMalloc(&block, 64);
       }},
      {"cudaFree", [&] { return cudaFree(memory); }},
      {"cudaHostAlloc",
       [] {
         void* block = nullptr;
         return cudaHostAlloc(&block, 64, 0);
       }},
      {"cudaDeviceSynchronize", [] { return cudaDeviceSynchronize(); }},
      {"cudaEventQuery", [&] { return cudaEventQuery(event); }}};
  for (const auto& [name, call] : calls) {
    cudaEventRecord(event, compute);
    begin();
    put(compute, 1);
    EXPECT_EQ(call(), cudaErrorStreamCaptureUnsupported) << name;
    EXPECT_EQ(enqueue(compute, [] {}), cudaErrorStreamCaptureInvalidated) << name;
    EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated) << name;
    put(compute, 2);  // the stream works again
  }
  // An event from before the capture.
  cudaEventRecord(event, other);
  begin();
  EXPECT_EQ(cudaStreamWaitEvent(compute, event, 0), cudaErrorStreamCaptureIsolation);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
}

TEST_F(Captures, HaveTimesByExternalEventsAlone) {
  cudaEvent_t inside = nullptr, outside = nullptr;
  cudaEventCreate(&inside);
  cudaEventCreate(&outside);
  EXPECT_EQ(cudaEventRecordWithFlags(outside, compute, cudaEventRecordExternal),
            cudaErrorInvalidValue);
  begin();
  cudaEventRecord(inside, compute);
  put(compute, 1);
  EXPECT_EQ(cudaEventRecordWithFlags(outside, compute, cudaEventRecordExternal), cudaSuccess);
  ASSERT_EQ(end(), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(inside), cudaErrorCapturedEvent);
  float milliseconds = 0;
  for (int launch = 0; launch < 2; ++launch) {
    cudaEventRecord(event, compute);
    launched(Timing::early);
    EXPECT_EQ(cudaEventElapsedTime(&milliseconds, event, outside), cudaSuccess);
    EXPECT_NEAR(milliseconds, 2e-3f, 1.5e-3f) << "since this launch";
  }
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, inside, outside), cudaErrorCapturedEvent);
  cudaEventDestroy(inside);
  cudaEventDestroy(outside);
}

}  // namespace
}  // namespace argosy::cuda_emulation
