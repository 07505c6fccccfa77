// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/cuda_check.h"

#include <string>

#include "planner/spec/check.h"

namespace argosy {
namespace {

[[noreturn]] void fail(const char* call, const std::string& text, int code,
                       std::source_location place) {
  int device = 0;
  const bool has_device = cudaGetDevice(&device) == cudaSuccess;
  throw Error(concat(has_device ? concat("CUDA device ", device, ": ") : "", call, " failed: ",
                     text, " (code ", code, ") at ", place.file_name(), ":", place.line()));
}

// What lies behind a library's "execution failed": an earlier error of the device, if there is one.
std::string with_device_error(const char* text) {
  const cudaError_t code = cudaGetLastError();
  if (code == cudaSuccess) return text;
  return concat(text, ", after: ", cudaGetErrorString(code), " (code ", static_cast<int>(code),
                ")");
}

}  // namespace

void check_cuda(cudaError_t code, const char* call, std::source_location place) {
  if (code == cudaSuccess) return;
  (void)cudaGetLastError();  // or the next check would report this error once more
  fail(call, cudaGetErrorString(code), code, place);
}

void check_cublas(cublasStatus_t code, const char* call, std::source_location place) {
  if (code != CUBLAS_STATUS_SUCCESS)
    fail(call, with_device_error(cublasLtGetStatusString(code)), code, place);
}

void check_cudnn(cudnnStatus_t code, const char* call, std::source_location place) {
  if (code != CUDNN_STATUS_SUCCESS)
    fail(call, with_device_error(cudnnGetErrorString(code)), code, place);
}

}  // namespace argosy
