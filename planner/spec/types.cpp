// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/types.h"

#include "planner/spec/check.h"

namespace argosy {

int64_t size_in_bytes(DType dtype) {
  switch (dtype) {
    case DType::fp64:
      return 8;
    case DType::fp32:
      return 4;
    case DType::bf16:
      return 2;
    case DType::int32:
      return 4;
    case DType::int16:
      return 2;
    case DType::uint8:
      return 1;
  }
  CHECK(false, "dtype ", static_cast<int>(dtype));
  return 0;
}

DType compute_dtype(Precision precision) {
  if (precision == Precision::fp64) return DType::fp64;
  if (precision == Precision::fp32) return DType::fp32;
  return DType::bf16;
}

DType gradient_dtype(Precision precision) {
  return precision == Precision::fp64 ? DType::fp64 : DType::fp32;
}

DType statistic_dtype(Precision precision) {
  return precision == Precision::fp64 ? DType::fp64 : DType::fp32;
}

bool has_master_weights(Precision precision) {
  return precision == Precision::bf16 || precision == Precision::fp8;
}

std::string_view to_string(DType dtype) {
  switch (dtype) {
    case DType::fp64:
      return "fp64";
    case DType::fp32:
      return "fp32";
    case DType::bf16:
      return "bf16";
    case DType::int32:
      return "int32";
    case DType::int16:
      return "int16";
    case DType::uint8:
      return "uint8";
  }
  return "?";
}

std::string_view to_string(Device device) {
  return device == Device::cpu ? "cpu" : "cuda";
}

std::string_view to_string(Precision precision) {
  switch (precision) {
    case Precision::fp64:
      return "fp64";
    case Precision::fp32:
      return "fp32";
    case Precision::bf16:
      return "bf16";
    case Precision::fp8:
      return "fp8";
  }
  return "?";
}

std::string_view to_string(MemoryCategory category) {
  switch (category) {
    case MemoryCategory::parameters:
      return "parameters";
    case MemoryCategory::gradients:
      return "gradients";
    case MemoryCategory::optimizer:
      return "optimizer";
    case MemoryCategory::activations:
      return "activations";
    case MemoryCategory::buffers:
      return "buffers";
    case MemoryCategory::workspace:
      return "workspace";
  }
  return "?";
}

Precision precision_from_string(std::string_view text, std::string_view where) {
  for (Precision p : {Precision::fp64, Precision::fp32, Precision::bf16, Precision::fp8}) {
    if (text == to_string(p)) return p;
  }
  throw ConfigError(
      concat(where, ": '", text, "' is not a precision; valid: fp64, fp32, bf16, fp8"));
}

Device device_from_string(std::string_view text, std::string_view where) {
  for (Device d : {Device::cpu, Device::cuda}) {
    if (text == to_string(d)) return d;
  }
  throw ConfigError(concat(where, ": '", text, "' is not a device; valid: cpu, cuda"));
}

}  // namespace argosy
