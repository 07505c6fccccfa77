// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// In place of attention_cudnn.cpp where the headers of cuDNN's graphs were not found.
#include "trainer/device/cuda_device.h"
#include "trainer/ops/cuda_attention.h"

namespace argosy::ops::detail {
namespace {

constexpr const char* kWhy =
    "built without cudnn_frontend.h (ensure_cudnn_frontend of launch/packages.sh gets it)";

bool refuse(DeviceContext& ctx) {
  cuda_of(ctx).state<CudaAttention>().refused["all"] = kWhy;
  return false;
}

}  // namespace

std::string fused_attention_description() {
  return concat("by our plain kernel, without tensor cores: ", kWhy);
}
bool fused_attention_forward(DeviceContext& ctx, const AttentionShape&, const Tensor&,
                             const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  return refuse(ctx);
}
bool fused_attention_backward(DeviceContext& ctx, const AttentionShape&, const Tensor&,
                              const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                              const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  return refuse(ctx);
}

}  // namespace argosy::ops::detail
