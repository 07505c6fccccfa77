// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Values between a device's memory and vectors of the host. Outside of ops this is the only way to
// look into a tensor.
#pragma once

#include <span>
#include <vector>

#include "planner/spec/check.h"
#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy {

// The host may write `values` again at once.
template <typename T>
void copy_to_device(std::span<const T> values, const Tensor& tensor) {
  CHECK(static_cast<int64_t>(values.size_bytes()) == tensor.bytes(), values.size_bytes(),
        " bytes into ", tensor.bytes());
  backend_of(tensor).upload(values.data(), tensor.raw(), tensor.bytes());
}

// Wait for the ops that were begun.
template <typename T>
std::vector<T> copy_to_host(const Tensor& tensor) {
  CHECK(static_cast<int64_t>(sizeof(T)) == size_in_bytes(tensor.dtype()), sizeof(T), " bytes for ",
        to_string(tensor.dtype()));
  std::vector<T> values(static_cast<size_t>(tensor.size()));
  backend_of(tensor).download(tensor.raw(), values.data(), tensor.bytes());
  return values;
}

// fp64 or fp32, as doubles.
std::vector<double> copy_to_doubles(const Tensor& tensor);
void copy_from_doubles(std::span<const double> values, const Tensor& tensor);

}  // namespace argosy
