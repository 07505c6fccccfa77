// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// cuDNN is not emulated: what the device's files name is here, and there are no handles.
#pragma once

#include "tests/support/cuda_emulation/cuda_runtime.h"

using cudnnHandle_t = struct cudnnContext*;
enum cudnnStatus_t { CUDNN_STATUS_SUCCESS = 0, CUDNN_STATUS_NOT_SUPPORTED = 3000 };

inline const char* cudnnGetErrorString(cudnnStatus_t) {
  return "cuDNN is not emulated";
}
inline cudnnStatus_t cudnnCreate(cudnnHandle_t*) {
  return CUDNN_STATUS_NOT_SUPPORTED;
}
inline cudnnStatus_t cudnnSetStream(cudnnHandle_t, cudaStream_t) {
  return CUDNN_STATUS_NOT_SUPPORTED;
}
inline cudnnStatus_t cudnnDestroy(cudnnHandle_t) {
  return CUDNN_STATUS_SUCCESS;
}
