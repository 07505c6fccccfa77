// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The runtime's functions: device memory is host memory, streams do not exist.
#include <cstdlib>
#include <cstring>

#include "tests/support/cuda_emulation/cuda_runtime.h"

namespace {

constexpr size_t kAlignmentBytes = 256;

}  // namespace

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess                 ? "cudaSuccess"
         : error == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation"
                                              : "cudaErrorInvalidConfiguration";
}
cudaError_t cudaMalloc(void** memory, size_t bytes) {
  if (posix_memalign(memory, kAlignmentBytes, bytes) != 0) return cudaErrorMemoryAllocation;
  std::memset(*memory, 0xff, bytes);  // NaN
  return cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
  std::free(memory);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind,
                            cudaStream_t) {
  if (bytes > 0) std::memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t) {
  if (bytes > 0) std::memset(memory, value, bytes);
  return cudaSuccess;
}
