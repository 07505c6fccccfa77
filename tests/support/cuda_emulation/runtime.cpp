// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The runtime's functions of devices, memory and copies: device memory is host memory.
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "planner/spec/clock.h"
#include "tests/support/cuda_emulation/cuda_runtime.h"
#include "tests/support/cuda_emulation/devices.h"

using argosy::Clock;
using namespace argosy::cuda_emulation;  // NOLINT: the runtime's own names are global

namespace {

constexpr size_t kAlignmentBytes = 256;
constexpr int kNan = 0xff;
// The host waits for a device that waits for others; a real one would wait for ever.
constexpr double kBlockedLimitS = 30;

thread_local int current_device = 0;

// Under the lock.
bool holds(const std::map<const char*, int64_t>& blocks, const void* data, size_t bytes) {
  const auto* begin = static_cast<const char*>(data);
  auto found = blocks.upper_bound(begin);
  if (found == blocks.begin()) return false;
  --found;
  return begin + bytes <= found->first + found->second;
}

// Returns when all streams of the device are empty.
cudaError_t block_until_idle(int device) {
  const Clock::time_point begin = Clock::now();
  for (;;) {
    {
      const std::scoped_lock lock(devices().mutex);
      if (devices().of(device).error != cudaSuccess) return devices().of(device).error;
      if (drain(device)) return devices().of(device).error;
    }
    if (argosy::seconds_since(begin) > kBlockedLimitS) return cudaErrorLaunchTimeout;
    sched_yield();
  }
}

}  // namespace

void argosy::cuda_emulation::enter_device() {
  devices().entered.insert(current_device);
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidPitchValue:
      return "invalid pitch argument";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorIllegalAddress:
      return "an illegal memory access was encountered";
    case cudaErrorLaunchTimeout:
      return "the launch timed out and was terminated";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureMerge:
      return "operation would result in a merge of separate capture sequences";
    case cudaErrorStreamCaptureUnmatched:
      return "capture was not initiated in this stream";
    case cudaErrorStreamCaptureUnjoined:
      return "capturing stream has unjoined work";
    case cudaErrorStreamCaptureIsolation:
      return "dependency created on uncaptured work in another stream";
    case cudaErrorCapturedEvent:
      return "operation not permitted on an event last recorded in a capturing stream";
    case cudaErrorStreamCaptureWrongThread:
      return "attempt to terminate a thread-local capture sequence from another thread";
  }
  return "unrecognized error code";
}
// Each call returns its own; what a device broke on stays.
cudaError_t cudaGetLastError() {
  const std::scoped_lock lock(devices().mutex);
  const auto device = static_cast<size_t>(current_device);
  return device < devices().states.size() ? devices().states[device].error : cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  const std::scoped_lock lock(devices().mutex);
  *count = static_cast<int>(devices().states.size());
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int index) {
  int count = 0;
  (void)cudaGetDeviceCount(&count);
  if (index < 0 || index >= count) return cudaErrorInvalidDevice;
  current_device = index;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* index) {
  *index = current_device;
  return cudaSuccess;
}
// Few multiprocessors: loops over the grid's stride are walked.
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index) {
  *properties = {.name = "emulated",
                 .uuid = {},
                 .major = 9,
                 .minor = 0,
                 .multiProcessorCount = 1,
                 .l2CacheSize = 1 << 20,
                 .sharedMemPerBlockOptin = 227 * 1024};
  properties->uuid.bytes[0] = static_cast<char>(index);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char* address, int bytes, int index) {
  std::snprintf(address, static_cast<size_t>(bytes), "0000:%02x:00.0",
                static_cast<unsigned>(index));
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  if (const cudaError_t error = refuse_in_capture()) return error;
  return block_until_idle(current_device);
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  const std::scoped_lock lock(devices().mutex);
  enter_device();
  DeviceState& device = devices().of(current_device);
  if (device.error != cudaSuccess) return device.error;
  if (const cudaError_t error = refuse_in_capture()) return error;
  const auto size = static_cast<int64_t>(bytes);
  if (device.used_bytes + size > device.total_bytes) return cudaErrorMemoryAllocation;
  if (posix_memalign(memory, kAlignmentBytes, bytes) != 0) return cudaErrorMemoryAllocation;
  std::memset(*memory, kNan, bytes);
  if (device.used_bytes == 0) device.peak_bytes = 0;
  device.used_bytes += size;
  device.peak_bytes = std::max(device.peak_bytes, device.used_bytes);
  const auto* begin = static_cast<const char*>(*memory);
  devices().blocks[begin] = size;
  devices().device_of_block[begin] = current_device;
  return cudaSuccess;
}
// Waits for the device, as CUDA's does.
cudaError_t cudaFree(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  if (const cudaError_t error = refuse_in_capture()) return error;
  const auto* begin = static_cast<const char*>(memory);
  int device = 0;
  {
    const std::scoped_lock lock(devices().mutex);
    const auto found = devices().device_of_block.find(begin);
    if (found == devices().device_of_block.end()) return cudaErrorInvalidValue;
    device = found->second;
  }
  const cudaError_t error = block_until_idle(device);
  const std::scoped_lock lock(devices().mutex);
  devices().of(device).used_bytes -= devices().blocks[begin];
  devices().blocks.erase(begin);
  devices().device_of_block.erase(begin);
  if (error == cudaSuccess) {
    std::free(memory);
  } else {
    devices().left.push_back(memory);
  }
  return error;
}
cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  const std::scoped_lock lock(devices().mutex);
  enter_device();
  if (const cudaError_t error = refuse_in_capture()) return error;
  if (posix_memalign(memory, kAlignmentBytes, bytes) != 0) return cudaErrorMemoryAllocation;
  devices().pinned[static_cast<const char*>(*memory)] = static_cast<int64_t>(bytes);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* memory) {
  const std::scoped_lock lock(devices().mutex);
  if (const cudaError_t error = refuse_in_capture()) return error;
  devices().pinned.erase(static_cast<const char*>(memory));
  std::free(memory);
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const std::scoped_lock lock(devices().mutex);
  const DeviceState& device = devices().of(current_device);
  *total = static_cast<size_t>(device.total_bytes);
  *free = static_cast<size_t>(device.total_bytes - device.used_bytes);
  return device.error;
}

namespace {

cudaError_t copy_rectangle(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                           size_t width, size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  if (width == 0 || height == 0) return cudaSuccess;
  if (kind != cudaMemcpyDeviceToDevice && stream != nullptr) {
    const std::scoped_lock lock(devices().mutex);
    const bool up = kind == cudaMemcpyHostToDevice;
    if (!holds(devices().pinned, up ? from : to,
               (height - 1) * (up ? from_pitch : to_pitch) + width))
      return cudaErrorInvalidValue;
  }
  return enqueue(stream, [=] {
    for (size_t row = 0; row < height; ++row) {
      std::memmove(static_cast<char*>(to) + row * to_pitch,
                   static_cast<const char*>(from) + row * from_pitch, width);
    }
  });
}
}  // namespace

// Rows may not overlap, even if there is but one, nor be further apart than a device says.
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream) {
  constexpr size_t kMostPitchBytes = 0x7fffffff;  // cudaDeviceProp::memPitch of all devices so far
  if (std::min(to_pitch, from_pitch) < width || std::max(to_pitch, from_pitch) > kMostPitchBytes)
    return cudaErrorInvalidPitchValue;
  return copy_rectangle(to, to_pitch, from, from_pitch, width, height, kind, stream);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return copy_rectangle(to, bytes, from, bytes, bytes, 1, kind, stream);
}
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  return enqueue(stream, [=] { std::memset(memory, value, bytes); });
}
