// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/linear.h"

#include "trainer/layers/deferred.h"
#include "trainer/ops/activation.h"
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

void Linear::multiply(const LayerContext& ctx, const ProductOperand& x, const Tensor& y,
                      const Tensor& gelu_input) const {
  const Tensor bias = bias_ == nullptr ? Tensor() : bias_->value;
  if (!weight_->is_multiplied_in_8_bits) {
    ops::matmul_nt(ctx.device, x.values(), values_for_product(ctx, *weight_), y,
                   {.bias = bias, .gelu_input = gelu_input});
    return;
  }
  const Tensor sum = gelu_input.defined() ? gelu_input : y;
  ops::matmul_fp8(ctx.device, x.plain(ctx), in_8_bits(ctx, *weight_), sum, {.bias = bias});
  if (gelu_input.defined()) ops::gelu_forward(ctx.device, gelu_input, y);
}

void Linear::multiply_back(const LayerContext& ctx, const ProductOperand& dy, const Tensor& dx,
                           bool accumulate, const Tensor& gelu_input) const {
  if (!weight_->is_multiplied_in_8_bits) {
    ops::matmul_nn(ctx.device, dy.values(), values_for_product(ctx, *weight_), dx,
                   {.accumulate = accumulate, .gelu_gradient_at = gelu_input});
    return;
  }
  ops::matmul_fp8(ctx.device, dy.plain(ctx), turned_in_8_bits(ctx, *weight_), dx,
                  {.accumulate = accumulate});
  if (gelu_input.defined()) ops::gelu_backward(ctx.device, dx, gelu_input, dx);
}

void Linear::forward(const LayerContext& ctx, const ProductOperand& x, const Tensor& y,
                     Tensor* adapter_state, MemoryCategory category) const {
  multiply(ctx, x, y, Tensor());
  if (!has_adapter()) return;
  forward_adapter_input(ctx, x, adapter_state, category);
  ops::matmul_nt(ctx.device, *adapter_state, lora_b_->value, y,
                 {.accumulate = true, .alpha = lora_scale_});
}

void Linear::forward_adapter_input(const LayerContext& ctx, const ProductOperand& x,
                                   Tensor* adapter_state, MemoryCategory category) const {
  *adapter_state =
      ctx.device.empty({x.values().dim(0), lora_a_->value.dim(0)}, ctx.compute(), category);
  ops::matmul_nt(ctx.device, x.values(), lora_a_->value, *adapter_state);
}

void Linear::forward_gelu(const LayerContext& ctx, const ProductOperand& x,
                          const Tensor& gelu_input, const Tensor& y, Tensor* adapter_state,
                          MemoryCategory category) const {
  if (has_adapter()) {
    forward(ctx, x, gelu_input, adapter_state, category);
    ops::gelu_forward(ctx.device, gelu_input, y);
    return;
  }
  multiply(ctx, x, y, gelu_input);
}

void Linear::backward(const LayerContext& ctx, const Tensor& dy, const ProductOperand& x,
                      const Tensor& adapter_state, const Tensor& dx, bool accumulate,
                      const Tensor& gelu_input) const {
  const ProductOperand gradient(dy, ops::Fp8Format::e5m2);
  const bool is_read_twice = weight_->grad.defined() && ctx.deferred == nullptr;
  if (weight_->is_multiplied_in_8_bits && is_read_twice) gradient.round(ctx, {dy.dim(0)});
  multiply_back(ctx, gradient, dx, accumulate, has_adapter() ? Tensor() : gelu_input);
  const Tensor bias_gradient = bias_ == nullptr ? Tensor() : bias_->grad;
  if (weight_->grad.defined()) {
    add_weight_gradient(ctx, *weight_, gradient, x, 1.0, bias_gradient);
  } else if (bias_gradient.defined()) {
    ops::bias_backward(ctx.device, dy, bias_gradient);
  }
  if (!has_adapter()) return;
  const Tensor du = ctx.scratch(adapter_state.shape());  // (m, r)
  ops::matmul_nn(ctx.device, dy, lora_b_->value, du, {.alpha = lora_scale_});
  add_weight_gradient(ctx, *lora_b_, dy, adapter_state, lora_scale_);
  add_weight_gradient(ctx, *lora_a_, du, x);
  ops::matmul_nn(ctx.device, du, lora_a_->value, dx, {.accumulate = true});
  if (gelu_input.defined()) ops::gelu_backward(ctx.device, dx, gelu_input, dx);
}

}  // namespace argosy
