// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/cuda_streams.h"

#include <sched.h>

#include "trainer/device/cuda_check.h"

namespace argosy {

CudaMark::CudaMark(cudaStream_t stream) {
  check_cuda(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  check_cuda(cudaEventRecord(event_, stream), "cudaEventRecord");
}

CudaMark::~CudaMark() {
  (void)cudaEventDestroy(event_);
}

bool CudaMark::reached() const {
  const cudaError_t code = cudaEventQuery(event_);
  if (code == cudaErrorNotReady) return false;
  check_cuda(code, "cudaEventQuery");
  return true;
}

CudaQueue::CudaQueue(StreamPriority priority) {
  int least = 0, greatest = 0;
  check_cuda(cudaDeviceGetStreamPriorityRange(&least, &greatest),
             "cudaDeviceGetStreamPriorityRange");
  check_cuda(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking,
                                          priority == StreamPriority::high ? greatest : least),
             "cudaStreamCreateWithPriority");
}

CudaQueue::~CudaQueue() {
  (void)cudaStreamDestroy(stream_);
}

void CudaQueue::wait_for(const DeviceMark& mark) {
  const auto& cuda_mark = dynamic_cast<const CudaMark&>(mark);  // one device, one kind of marks
  check_cuda(cudaStreamWaitEvent(stream_, cuda_mark.event(), 0), "cudaStreamWaitEvent");
}

std::unique_ptr<DeviceMark> CudaQueue::mark() const {
  return std::make_unique<CudaMark>(stream_);
}

// Many wait for what is communicated: it goes before ops.
std::unique_ptr<DeviceQueue> CudaStreamSet::make_queue() {
  return std::make_unique<CudaQueue>(StreamPriority::high);
}

void CudaStreamSet::wait(const DeviceMark& mark) const {
  while (!mark.reached()) {
    if (while_waiting_) while_waiting_();
    sched_yield();
  }
}

}  // namespace argosy
