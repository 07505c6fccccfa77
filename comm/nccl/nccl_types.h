// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <nccl.h>

#include "comm/device_streams.h"
#include "planner/spec/check.h"
#include "planner/spec/types.h"

namespace argosy {

inline ncclDataType_t nccl_type(DType dtype) {
  switch (dtype) {
    case DType::fp64:
      return ncclFloat64;
    case DType::fp32:
      return ncclFloat32;
    case DType::bf16:
      return ncclBfloat16;
    case DType::int32:
      return ncclInt32;
    case DType::uint8:
      return ncclUint8;
    case DType::int16:
      break;  // stays on its rank
  }
  CHECK(false, to_string(dtype), " is not communicated");
  return ncclInt32;
}

// Of what is summed or compared.
inline ncclDataType_t nccl_number_type(DType dtype) {
  CHECK(dtype != DType::uint8, to_string(dtype), " is not reduced");
  return nccl_type(dtype);
}

inline cudaStream_t nccl_stream(const DeviceQueue& queue) {
  return static_cast<cudaStream_t>(queue.stream());
}

}  // namespace argosy
