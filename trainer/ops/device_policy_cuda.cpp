// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/device/cuda_device.h"
#include "trainer/ops/cublaslt_product.h"
#include "trainer/ops/cuda_attention.h"
#include "trainer/ops/cuda_matmul.h"
#include "trainer/ops/device_policy.h"

namespace argosy::ops::detail {

template <>
void apply_policy<Device::cuda>(DeviceContext& ctx, const DevicePolicy& policy) {
  CudaDevice& device = cuda_of(ctx);
  device.state<CudaMatmulPolicy>().allow_tf32 = policy.allow_tf32;
  device.state<CudaAttention>().is_deterministic = policy.is_deterministic;
}

template <>
std::vector<std::string> slow_paths<Device::cuda>(DeviceContext& ctx) {
  CudaDevice& device = cuda_of(ctx);
  std::vector<std::string> lines;
  for (const auto& [shape, why] : device.state<CudaAttention>().refused)
    lines.push_back(concat("attention runs on our plain kernel, slowly: ", shape, ": ", why));
  for (const auto& [product, why] : device.state<LibraryRefusals>().products)
    lines.push_back(concat("product ", product, ": ", why));
  return lines;
}

}  // namespace argosy::ops::detail
