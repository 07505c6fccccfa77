// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The one place that asks which devices and dtypes were built.
#pragma once

#include <built_devices.h>  // of trainer/device/with_cuda or cpu_only

#include "planner/spec/bfloat16.h"
#include "planner/spec/check.h"
#include "planner/spec/types.h"

namespace argosy::ops {

// Calls body.template operator()<Device>(). A device that is not built is not even named: what
// needs it is not compiled.
template <typename Body>
decltype(auto) dispatch_device(Device device, Body&& body) {
  if constexpr (kHasCuda) {
    if (device == Device::cuda) return body.template operator()<Device::cuda>();
  }
  CHECK(device == Device::cpu, "this build has no ", to_string(device), " device");
  return body.template operator()<Device::cpu>();
}

// Calls body.template operator()<T>() with double, float or bfloat16.
template <typename Body>
decltype(auto) dispatch_float(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::fp64:
      return body.template operator()<double>();
    case DType::fp32:
      return body.template operator()<float>();
    case DType::bf16:
      return body.template operator()<bfloat16>();
    case DType::int32:
    case DType::int16:
    case DType::uint8:
      break;
  }
  CHECK(false, "not a floating dtype: ", to_string(dtype));
  return body.template operator()<float>();  // not reached
}

// Calls body.template operator()<T>() with double or float: the statistic dtypes.
template <typename Body>
decltype(auto) dispatch_statistic(DType dtype, Body&& body) {
  CHECK(dtype == DType::fp64 || dtype == DType::fp32, "not a statistic dtype: ", to_string(dtype));
  return dtype == DType::fp64 ? body.template operator()<double>()
                              : body.template operator()<float>();
}

}  // namespace argosy::ops
