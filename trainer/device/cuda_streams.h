// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Streams and events of one CUDA device, as a communicator sees them too. Whoever waits here looks
// again and again and lets others act meanwhile: a kernel that waits for a failed rank never ends.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/device_streams.h"

namespace argosy {

class CudaMark : public DeviceMark {
 public:
  explicit CudaMark(cudaStream_t stream);
  ~CudaMark() override;
  CudaMark(const CudaMark&) = delete;
  CudaMark& operator=(const CudaMark&) = delete;
  bool reached() const override;  // throws what the stream's calls failed with
  cudaEvent_t event() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

enum class StreamPriority { normal, high };

class CudaQueue : public DeviceQueue {
 public:
  explicit CudaQueue(StreamPriority priority);
  ~CudaQueue() override;
  CudaQueue(const CudaQueue&) = delete;
  CudaQueue& operator=(const CudaQueue&) = delete;
  void* stream() const override { return stream_; }
  cudaStream_t cuda_stream() const { return stream_; }
  void wait_for(const DeviceMark& mark) override;
  std::unique_ptr<DeviceMark> mark() const override;

 private:
  cudaStream_t stream_ = nullptr;
};

class CudaStreamSet : public DeviceStreams {
 public:
  explicit CudaStreamSet(std::string device_id)
      : device_id_(std::move(device_id)), compute_(StreamPriority::normal) {}
  std::string device_id() const override { return device_id_; }
  DeviceQueue& compute() override { return compute_; }
  cudaStream_t compute_stream() const { return compute_.cuda_stream(); }
  std::unique_ptr<DeviceQueue> make_queue() override;
  void set_while_waiting(std::function<void()> action) override {
    while_waiting_ = std::move(action);
  }
  void wait(const DeviceMark& mark) const;
  // For everything on the compute stream, and with it for the calls that it waits for.
  void synchronize() const { wait(*compute_.mark()); }

 private:
  std::string device_id_;
  CudaQueue compute_;
  std::function<void()> while_waiting_;
};

}  // namespace argosy
