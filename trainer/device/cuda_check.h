// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The one checked wrapper of each of NVIDIA's libraries: throws Error naming the call, the code in
// the library's words, the device and the place; main adds the rank. Include it where CUDA is
// built.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <source_location>

namespace argosy {

// check_cuda(cudaStreamSynchronize(stream), "cudaStreamSynchronize"). After a kernel's launch:
// check_cuda(cudaGetLastError(), "norm_forward").
void check_cuda(cudaError_t code, const char* call,
                std::source_location place = std::source_location::current());
void check_cublas(cublasStatus_t code, const char* call,
                  std::source_location place = std::source_location::current());
void check_cudnn(cudnnStatus_t code, const char* call,
                 std::source_location place = std::source_location::current());

}  // namespace argosy
