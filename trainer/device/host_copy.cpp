// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/host_copy.h"

namespace argosy {

std::vector<double> copy_to_doubles(const Tensor& tensor) {
  if (tensor.dtype() == DType::fp64) return copy_to_host<double>(tensor);
  CHECK(tensor.dtype() == DType::fp32, "not a statistic dtype: ", to_string(tensor.dtype()));
  const std::vector<float> values = copy_to_host<float>(tensor);
  return {values.begin(), values.end()};
}

void copy_from_doubles(std::span<const double> values, const Tensor& tensor) {
  if (tensor.dtype() == DType::fp64) return copy_to_device(values, tensor);
  CHECK(tensor.dtype() == DType::fp32, "not a statistic dtype: ", to_string(tensor.dtype()));
  std::vector<float> narrow;
  narrow.reserve(values.size());
  for (const double value : values) narrow.push_back(static_cast<float>(value));
  copy_to_device(std::span<const float>(narrow), tensor);
}

}  // namespace argosy
