// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Stands in for NVIDIA's header of this name: with this folder first in the include path g++
// compiles a .cu file as plain C++, and its kernels run on the CPU, thread by thread (emulation.h).
// Only what the project's own kernels use is here. Shared memory is the dynamic one alone, declared
// `extern __shared__` at namespace scope.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>

#include "tests/support/cuda_emulation/emulation.h"

#define __global__
#define __device__
#define __host__
#define __shared__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__

struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3() = default;
  dim3(unsigned x_, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// Of the thread that runs: set by the emulation.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

using cudaStream_t = struct CUstream_st*;
using cudaEvent_t = struct CUevent_st*;
using cudaGraph_t = struct CUgraph_st*;
using cudaGraphNode_t = struct CUgraphNode_st*;
using cudaGraphExec_t = struct CUgraphExec_st*;
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInvalidPitchValue = 12,
  cudaErrorInvalidDevice = 101,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchTimeout = 702,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
  cudaErrorStreamCaptureMerge = 902,
  cudaErrorStreamCaptureUnmatched = 903,
  cudaErrorStreamCaptureUnjoined = 904,
  cudaErrorStreamCaptureIsolation = 905,
  cudaErrorCapturedEvent = 907,
  cudaErrorStreamCaptureWrongThread = 908
};
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaMemcpyKind {
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
inline constexpr unsigned cudaHostAllocDefault = 0, cudaEventDisableTiming = 2,
                          cudaStreamNonBlocking = 1, cudaEventRecordDefault = 0,
                          cudaEventRecordExternal = 1;
struct cudaUUID_t {
  char bytes[16];
};
struct cudaDeviceProp {
  char name[256];
  cudaUUID_t uuid;
  int major, minor, multiProcessorCount, l2CacheSize;
  size_t sharedMemPerBlockOptin;
};

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};

const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int index);  // of this thread
cudaError_t cudaGetDevice(int* index);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index);
cudaError_t cudaDeviceGetPCIBusId(char* address, int bytes, int index);
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreate(cudaEvent_t* event);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
// A microsecond for each task that ended between, on whichever stream.
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned flags);
cudaError_t cudaEventQuery(cudaEvent_t event);
// Stream capture (graphs.cpp): illegal calls fail and spoil the capture, as on a device.
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph,
                                 unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaMalloc(void** memory, size_t bytes);  // exactly so many: a sanitizer sees the end
cudaError_t cudaFree(void* memory);
cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
// Between the host and a device from and to pinned memory alone: other copies block the host.
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream);
template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel* kernel, cudaFuncAttribute, int bytes) {
  argosy::cuda_emulation::grant_shared(reinterpret_cast<const void*>(kernel),
                                       static_cast<size_t>(bytes));
  return cudaSuccess;
}

namespace argosy::cuda_emulation {
cudaError_t enqueue(cudaStream_t stream, std::function<void()> work);  // streams.h
}

// Arguments are copied once, as a launch does.
template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
  const argosy::cuda_emulation::Launch launch{
      {config->gridDim.x, config->gridDim.y, config->gridDim.z},
      {config->blockDim.x, config->blockDim.y, config->blockDim.z},
      config->dynamicSmemBytes};
  if (!argosy::cuda_emulation::is_valid(launch)) return cudaErrorInvalidConfiguration;
  if (launch.shared_bytes >
      argosy::cuda_emulation::granted_shared(reinterpret_cast<const void*>(kernel))) {
    return cudaErrorInvalidValue;
  }
  return argosy::cuda_emulation::enqueue(
      config->stream, [launch, kernel, values = std::move(values)] {
        argosy::cuda_emulation::run(launch, [&] { std::apply(kernel, values); });
      });
}

inline void __syncthreads() {
  argosy::cuda_emulation::block_barrier();
}
[[noreturn]] inline void __trap() {
  argosy::cuda_emulation::trap();
}
inline void __syncwarp() {
  argosy::cuda_emulation::warp_exchange("__syncwarp", 0, 0);
}

namespace argosy::cuda_emulation {
template <typename T>
T shuffle(const char* name, unsigned mask, T value, unsigned source) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  check_full_mask(name, mask);
  uint64_t word = 0;
  std::memcpy(&word, &value, sizeof(T));
  word = warp_exchange(name, word, source);
  std::memcpy(&value, &word, sizeof(T));
  return value;
}
}  // namespace argosy::cuda_emulation

template <typename T>
T __shfl_sync(unsigned mask, T value, int source) {
  return argosy::cuda_emulation::shuffle("__shfl_sync", mask, value,
                                         static_cast<unsigned>(source) % 32);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits) {
  return argosy::cuda_emulation::shuffle(
      "__shfl_xor_sync", mask, value, argosy::cuda_emulation::lane() ^ static_cast<unsigned>(bits));
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance) {
  const unsigned lane = argosy::cuda_emulation::lane();
  return argosy::cuda_emulation::shuffle("__shfl_up_sync", mask, value,
                                         lane >= distance ? lane - distance : lane);
}
template <typename T>
unsigned __match_any_sync(unsigned mask, T value) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  argosy::cuda_emulation::check_full_mask("__match_any_sync", mask);
  uint64_t word = 0;
  std::memcpy(&word, &value, sizeof(T));
  return argosy::cuda_emulation::warp_match(word);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  argosy::cuda_emulation::check_full_mask("__ballot_sync", mask);
  return argosy::cuda_emulation::warp_ballot(predicate != 0);
}

// One thread runs at a time: nothing comes between.
inline int atomicAdd(int* address, int value) {
  return std::exchange(*address, *address + value);
}

inline int __popc(unsigned value) {
  return std::popcount(value);
}
inline int __ffs(int value) {
  return value == 0 ? 0 : std::countr_zero(static_cast<unsigned>(value)) + 1;
}
inline float __uint_as_float(unsigned value) {
  return std::bit_cast<float>(value);
}
inline unsigned __float_as_uint(float value) {
  return std::bit_cast<unsigned>(value);
}
inline float __expf(float x) {
  return std::exp(x);
}
inline float __fdividef(float a, float b) {
  return a / b;
}
inline float rsqrtf(float x) {
  return 1.0f / std::sqrt(x);
}
using std::max;
using std::min;
