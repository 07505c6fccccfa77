// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The runtime's functions of streams and events, over those of streams.h.
#include "tests/support/cuda_emulation/cuda_runtime.h"
#include "tests/support/cuda_emulation/devices.h"

namespace argosy::cuda_emulation {
namespace {

Event& event_of(cudaEvent_t handle) {
  return *reinterpret_cast<Event*>(handle);
}

// Under the lock. Whoever waits for what is captured is captured too.
cudaError_t wait_in_capture(Stream& stream, const Event& event) {
  if (!event.capture) {
    stream.capture->is_spoilt = true;
    return cudaErrorStreamCaptureIsolation;
  }
  if (!event.capture->is_active) return cudaErrorCapturedEvent;
  if (!stream.capture) {
    stream.capture = event.capture;
    stream.number_in_capture = event.capture->streams.size();
    event.capture->streams.push_back(&stream);
  }
  if (stream.capture != event.capture) return cudaErrorStreamCaptureMerge;
  cudaError_t code = cudaSuccess;
  (void)is_captured(stream, {.kind = GraphNode::Kind::wait, .awaited = event.node}, &code);
  return code;
}

}  // namespace
}  // namespace argosy::cuda_emulation

using namespace argosy::cuda_emulation;  // NOLINT: the runtime's own names are global

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* handle, unsigned, int) {
  int current_device = 0;
  (void)cudaGetDevice(&current_device);
  const std::scoped_lock lock(devices().mutex);
  DeviceState& device = devices().of(current_device);
  auto stream = std::make_shared<Stream>();
  stream->device = current_device;
  stream->is_compute = device.num_streams == 0;
  stream->number = device.num_streams++;
  *handle = reinterpret_cast<cudaStream_t>(stream.get());
  devices().streams[*handle] = std::move(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  const std::scoped_lock lock(devices().mutex);
  Stream& stream = devices().stream(handle);
  stream.is_orphan = true;
  if (stream.is_compute) devices().of(stream.device).num_streams = 0;  // of whoever comes next
  advance();
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
  const std::scoped_lock lock(devices().mutex);
  Stream& stream = devices().stream(handle);
  if (const cudaError_t error = devices().of(stream.device).error) return error;
  if (stream.capture || event_of(event).capture) return wait_in_capture(stream, event_of(event));
  if (event_of(event).task && !event_of(event).task->done) {
    put(stream, {})->awaited = event_of(event).task;
    advance();
  }
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, 0);
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  const std::scoped_lock lock(devices().mutex);
  if (event_of(begin).capture || event_of(end).capture) return cudaErrorCapturedEvent;
  const auto &first = event_of(begin).task, &last = event_of(end).task;
  if (!first || !last) return cudaErrorInvalidValue;
  if (!first->done || !last->done) return cudaErrorNotReady;
  *milliseconds = static_cast<float>(last->ended - first->ended) * 1e-3f;
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = reinterpret_cast<cudaEvent_t>(new Event);
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::scoped_lock lock(devices().mutex);
  delete &event_of(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  return cudaEventRecordWithFlags(event, handle, cudaEventRecordDefault);
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t handle, unsigned flags) {
  const std::scoped_lock lock(devices().mutex);
  Stream& stream = devices().stream(handle);
  if (const cudaError_t error = devices().of(stream.device).error) return error;
  const bool is_external = flags == cudaEventRecordExternal;
  if (stream.capture) {
    cudaError_t code = cudaSuccess;
    GraphNode node{.kind = is_external ? GraphNode::Kind::external_event : GraphNode::Kind::event};
    node.event = event;
    if (!is_external) event_of(event) = {nullptr, 0, stream.capture, stream.capture->nodes.size()};
    (void)is_captured(stream, std::move(node), &code);
    return code;
  }
  if (is_external) return cudaErrorInvalidValue;
  event_of(event) = {.task = put(stream, {})};
  advance();
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const std::scoped_lock lock(devices().mutex);
  enter_device();
  if (const cudaError_t error = refuse_in_capture()) return error;
  if (event_of(event).capture) return cudaErrorCapturedEvent;
  const bool done = reached(event_of(event));
  const std::shared_ptr<Task>& task = event_of(event).task;
  if (task) {
    const int device = task->device;
    if (const cudaError_t error = devices().of(device).error) return error;
  }
  return done ? cudaSuccess : cudaErrorNotReady;
}
