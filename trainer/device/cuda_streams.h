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

// Events that know their time, made once and used again in every step.
class CudaClock : public DeviceClock {
 public:
  explicit CudaClock(const CudaQueue& compute) : compute_(compute) {}
  ~CudaClock() override;
  CudaClock(const CudaClock&) = delete;
  CudaClock& operator=(const CudaClock&) = delete;
  void restart() override;
  void stop() override { runs_ = false; }
  int64_t stamp(const DeviceQueue& queue) override;
  double seconds(int64_t stamp) const override;
  int64_t num_stamps() const override { return static_cast<int64_t>(num_used_); }
  void skip_to(int64_t stamp) override;
  // Whether the queues are being captured: stamps are then those of the graph's launches.
  void set_capturing(bool capturing) { is_capturing_ = capturing; }
  bool is_capturing() const { return is_capturing_; }

 private:
  const CudaQueue& compute_;
  std::vector<cudaEvent_t> events_;  // the first is second 0
  size_t num_used_ = 0;
  bool runs_ = false, is_capturing_ = false;
};

class CudaStreamSet : public DeviceStreams {
 public:
  // index: of the device, which is this thread's.
  CudaStreamSet(int index, std::string device_id)
      : index_(index),
        device_id_(std::move(device_id)),
        compute_(StreamPriority::normal),
        clock_(compute_) {}
  std::string device_id() const override { return device_id_; }
  DeviceQueue& compute() override { return compute_; }
  cudaStream_t compute_stream() const { return compute_.cuda_stream(); }
  std::unique_ptr<DeviceQueue> make_queue() override;
  void set_while_waiting(std::function<void()> action) override {
    while_waiting_ = std::move(action);
  }
  void enter_thread() const override;
  DeviceClock* clock() override { return &clock_; }
  bool is_capturing() const override { return clock_.is_capturing(); }
  void set_capturing(bool capturing) { clock_.set_capturing(capturing); }
  void push_range(const std::string& name) override;  // NVTX
  void pop_range() override;
  void wait(const DeviceMark& mark) const override;
  // For everything on the compute stream, and with it for the calls that it waits for.
  void synchronize() const { wait(*compute_.mark()); }

 private:
  int index_;
  std::string device_id_;
  CudaQueue compute_;
  CudaClock clock_;
  std::function<void()> while_waiting_;
};

}  // namespace argosy
