// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/cuda_streams.h"

#include <nvtx3/nvToolsExt.h>
#include <sched.h>

#include "planner/spec/check.h"
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

CudaClock::~CudaClock() {
  for (cudaEvent_t event : events_) (void)cudaEventDestroy(event);
}

void CudaClock::restart() {
  num_used_ = 0;
  runs_ = true;
  (void)stamp(compute_);
}

int64_t CudaClock::stamp(const DeviceQueue& queue) {
  if (!runs_) return kNoStamp;
  if (num_used_ == events_.size()) {
    cudaEvent_t event = nullptr;
    check_cuda(cudaEventCreate(&event), "cudaEventCreate");
    events_.push_back(event);
  }
  // An event that is captured otherwise is an edge of the graph and has no time.
  check_cuda(
      cudaEventRecordWithFlags(events_[num_used_], static_cast<cudaStream_t>(queue.stream()),
                               is_capturing_ ? cudaEventRecordExternal : cudaEventRecordDefault),
      "cudaEventRecordWithFlags");
  return static_cast<int64_t>(num_used_++);
}

void CudaClock::skip_to(int64_t stamp) {
  CHECK(static_cast<size_t>(stamp) >= num_used_ && static_cast<size_t>(stamp) <= events_.size(),
        "stamp ", stamp, " after ", num_used_, " of ", events_.size());
  num_used_ = static_cast<size_t>(stamp);
}

double CudaClock::seconds(int64_t stamp) const {
  CHECK(stamp >= 0 && static_cast<size_t>(stamp) < num_used_, "stamp ", stamp, " of ", num_used_);
  float milliseconds = 0;  // to half a microsecond
  check_cuda(cudaEventElapsedTime(&milliseconds, events_[0], events_[static_cast<size_t>(stamp)]),
             "cudaEventElapsedTime");
  return static_cast<double>(milliseconds) / 1e3;
}

void CudaStreamSet::enter_thread() const {
  check_cuda(cudaSetDevice(index_), "cudaSetDevice");
}

void CudaStreamSet::push_range(const std::string& name) {
  (void)nvtxRangePushA(name.c_str());
}

void CudaStreamSet::pop_range() {
  (void)nvtxRangePop();
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
