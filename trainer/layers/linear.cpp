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

namespace {

// The values in 8 bits, for one product.
ops::Fp8Matrix in_8_bits(const LayerContext& ctx, const Tensor& x, ops::Fp8Format format) {
  if (x.dim(0) % ops::kFp8Unit != 0) {
    throw ConfigError(concat("--precision fp8: a micro-batch has ", x.dim(0),
                             " tokens on a rank; valid: multiples of ", ops::kFp8Unit,
                             ", or --precision bf16"));
  }
  ops::Fp8Matrix result =
      ops::empty_fp8(ctx.device, x.dim(0), x.dim(1), format, MemoryCategory::workspace);
  ops::quantize(ctx.device, x, result, {});
  return result;
}

// The weight's copies of this step.
void renew_copies(const LayerContext& ctx, const Parameter& weight) {
  if (!weight.copies_are_old) return;
  ops::quantize(ctx.device, weight.value, weight.in_8_bits, weight.turned_in_8_bits);
  weight.copies_are_old = false;
}

}  // namespace

void Linear::multiply(const LayerContext& ctx, const Tensor& x, const Tensor& y,
                      const Tensor& gelu_input) const {
  const Tensor bias = bias_ == nullptr ? Tensor() : bias_->value;
  if (!weight_->in_8_bits.defined()) {
    ops::matmul_nt(ctx.device, x, weight_->value, y, {.bias = bias, .gelu_input = gelu_input});
    return;
  }
  renew_copies(ctx, *weight_);
  const Tensor sum = gelu_input.defined() ? gelu_input : y;
  ops::matmul_fp8(ctx.device, in_8_bits(ctx, x, ops::Fp8Format::e4m3), weight_->in_8_bits, sum,
                  {.bias = bias});
  if (gelu_input.defined()) ops::gelu_forward(ctx.device, gelu_input, y);
}

void Linear::multiply_back(const LayerContext& ctx, const Tensor& dy, const Tensor& dx,
                           bool accumulate, const Tensor& gelu_input) const {
  if (!weight_->in_8_bits.defined()) {
    ops::matmul_nn(ctx.device, dy, weight_->value, dx,
                   {.accumulate = accumulate, .gelu_gradient_at = gelu_input});
    return;
  }
  renew_copies(ctx, *weight_);
  ops::matmul_fp8(ctx.device, in_8_bits(ctx, dy, ops::Fp8Format::e5m2), weight_->turned_in_8_bits,
                  dx, {.accumulate = accumulate});
  if (gelu_input.defined()) ops::gelu_backward(ctx.device, dx, gelu_input, dx);
}

void Linear::forward(const LayerContext& ctx, const Tensor& x, const Tensor& y,
                     Tensor* adapter_state, MemoryCategory category) const {
  multiply(ctx, x, y, Tensor());
  if (!has_adapter()) return;
  *adapter_state = ctx.device.empty({x.dim(0), lora_a_->value.dim(0)}, ctx.compute(), category);
  ops::matmul_nt(ctx.device, x, lora_a_->value, *adapter_state);
  ops::matmul_nt(ctx.device, *adapter_state, lora_b_->value, y,
                 {.accumulate = true, .alpha = lora_scale_});
}

void Linear::forward_gelu(const LayerContext& ctx, const Tensor& x, const Tensor& gelu_input,
                          const Tensor& y, Tensor* adapter_state, MemoryCategory category) const {
  if (has_adapter()) {
    forward(ctx, x, gelu_input, adapter_state, category);
    ops::gelu_forward(ctx.device, gelu_input, y);
    return;
  }
  multiply(ctx, x, y, gelu_input);
}

void Linear::backward(const LayerContext& ctx, const Tensor& dy, const Tensor& x,
                      const Tensor& adapter_state, const Tensor& dx, bool accumulate,
                      const Tensor& gelu_input) const {
  multiply_back(ctx, dy, dx, accumulate, has_adapter() ? Tensor() : gelu_input);
  const Tensor bias_gradient = bias_ == nullptr ? Tensor() : bias_->grad;
  if (weight_->grad.defined()) {
    add_weight_gradient(ctx, *weight_, dy, x, 1.0, bias_gradient);
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
