// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// y = x W^T (+ bias), with an optional LoRA branch y += scale (x A^T) B^T (Hu et al. 2021). The
// same class serves column- and row-parallel Linears: the store hands out the rank's part of W, A
// and B, and whoever holds the Linear gathers and reduces.
#pragma once

#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"
#include "trainer/layers/product_operand.h"

namespace argosy {

class Linear {
 public:
  // `bias_role`: role of the bias, or `role` itself for none. Only column-parallel Linears add
  // their bias here; a row-parallel bias is added after the reduction, by its owner.
  Linear(const LayerContext& ctx, const ParameterStore& store, int layer, TensorRole role,
         TensorRole bias_role, int64_t expert = -1);
  Linear(const LayerContext& ctx, const ParameterStore& store, int layer, TensorRole role,
         int64_t expert = -1)
      : Linear(ctx, store, layer, role, role, expert) {}

  int64_t out_features() const { return weight_->value.dim(0); }
  bool has_adapter() const { return lora_a_ != nullptr; }
  // backward() reads x only if a gradient of weight or adapter needs it.
  bool needs_input() const { return weight_->grad.defined() || has_adapter(); }

  // x (m, in) -> y (m, out). adapter_state becomes x A^T (m, r), in `category`, or stays undefined
  // without adapter.
  void forward(const LayerContext& ctx, const ProductOperand& x, const Tensor& y,
               Tensor* adapter_state, MemoryCategory category) const;
  // Of that adapter_state alone; needs an adapter.
  void forward_adapter_input(const LayerContext& ctx, const ProductOperand& x,
                             Tensor* adapter_state, MemoryCategory category) const;
  // The same, then y = gelu(that), which gelu_input (m, out) comes to hold.
  void forward_gelu(const LayerContext& ctx, const ProductOperand& x, const Tensor& gelu_input,
                    const Tensor& y, Tensor* adapter_state, MemoryCategory category) const;
  // dx (m, in) = dy W, or += with accumulate; with gelu_input (m, in), whose gelu x was, the
  // gradient of that instead. x may be undefined when !needs_input(); otherwise it
  // and dy must not change afterwards when ctx.deferred puts the weight's gradient off.
  void backward(const LayerContext& ctx, const Tensor& dy, const ProductOperand& x,
                const Tensor& adapter_state, const Tensor& dx, bool accumulate,
                const Tensor& gelu_input = {}) const;

 private:
  // y (m, out) = x W^T and dx (m, in) = dy W, in 8 bits where the weight is multiplied in them.
  void multiply(const LayerContext& ctx, const ProductOperand& x, const Tensor& y,
                const Tensor& gelu_input) const;
  void multiply_back(const LayerContext& ctx, const ProductOperand& dy, const Tensor& dx,
                     bool accumulate, const Tensor& gelu_input) const;

  const Parameter* weight_;
  const Parameter* bias_ = nullptr;
  const Parameter* lora_a_ = nullptr;
  const Parameter* lora_b_ = nullptr;
  double lora_scale_ = 0;
};

}  // namespace argosy
