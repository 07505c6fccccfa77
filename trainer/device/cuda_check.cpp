// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/cuda_check.h"

#include <string>

#include "planner/spec/check.h"

namespace argosy {
namespace {

[[noreturn]] void fail(const char* call, const char* text, int code, std::source_location place) {
  int device = 0;
  const bool has_device = cudaGetDevice(&device) == cudaSuccess;
  throw Error(concat(has_device ? concat("CUDA device ", device, ": ") : "", call, " failed: ",
                     text, " (code ", code, ") at ", place.file_name(), ":", place.line()));
}

}  // namespace

void check_cuda(cudaError_t code, const char* call, std::source_location place) {
  if (code == cudaSuccess) return;
  (void)cudaGetLastError();  // or the next check would report this error once more
  fail(call, cudaGetErrorString(code), code, place);
}

void check_cublas(cublasStatus_t code, const char* call, std::source_location place) {
  if (code != CUBLAS_STATUS_SUCCESS) fail(call, cublasLtGetStatusString(code), code, place);
}

void check_cudnn(cudnnStatus_t code, const char* call, std::source_location place) {
  if (code != CUDNN_STATUS_SUCCESS) fail(call, cudnnGetErrorString(code), code, place);
}

}  // namespace argosy
