// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/linear.h"

#include "trainer/layers/deferred.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/matmul.h"

namespace argosy {

Linear::Linear(const LayerContext& ctx, const ParameterStore& store, int layer, TensorRole role,
               TensorRole bias_role, int64_t expert)
    : weight_(&store.at(layer, role, expert)),
      bias_(bias_role == role ? nullptr : store.find(layer, bias_role)),
      lora_a_(store.find(layer, role, expert, LoraPart::a)),
      lora_b_(store.find(layer, role, expert, LoraPart::b)),
      lora_scale_(ctx.plan.lora.scale()) {}

void Linear::forward(const LayerContext& ctx, const Tensor& x, const Tensor& y,
                     Tensor* adapter_state, MemoryCategory category) const {
  ops::matmul_nt(ctx.device, x, weight_->value, y,
                 {.bias = bias_ == nullptr ? Tensor() : bias_->value});
  if (!has_adapter()) return;
  *adapter_state = ctx.device.empty({x.dim(0), lora_a_->value.dim(0)}, ctx.compute(), category);
  ops::matmul_nt(ctx.device, x, lora_a_->value, *adapter_state);
  ops::matmul_nt(ctx.device, *adapter_state, lora_b_->value, y,
                 {.accumulate = true, .alpha = lora_scale_});
}

void Linear::backward(const LayerContext& ctx, const Tensor& dy, const Tensor& x,
                      const Tensor& adapter_state, const Tensor& dx, bool accumulate) const {
  ops::matmul_nn(ctx.device, dy, weight_->value, dx, {.accumulate = accumulate});
  if (weight_->grad.defined()) add_weight_gradient(ctx, *weight_, dy, x);
  if (bias_ != nullptr && bias_->grad.defined()) ops::bias_backward(ctx.device, dy, bias_->grad);
  if (!has_adapter()) return;
  const Tensor du = ctx.scratch(adapter_state.shape());  // (m, r)
  ops::matmul_nn(ctx.device, dy, lora_b_->value, du, {.alpha = lora_scale_});
  add_weight_gradient(ctx, *lora_b_, dy, adapter_state, lora_scale_);
  add_weight_gradient(ctx, *lora_a_, du, x);
  ops::matmul_nn(ctx.device, du, lora_a_->value, dx, {.accumulate = true});
}

}  // namespace argosy
