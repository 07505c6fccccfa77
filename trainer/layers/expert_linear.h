// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The same Linear of each of this rank's experts, on rows sorted by expert: y = x W[e]^T (+ b[e]),
// with the LoRA branch of linear.h. One grouped product instead of one product an expert, unless
// weights are in NF4.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"
#include "trainer/layers/product_operand.h"

namespace argosy {

// R rows, of which rows_of_expert[e] in order belong to expert e; r LoRA rank.
class ExpertLinear {
 public:
  // `experts`: global numbers, in the order of the rows. `bias_role` is asked for where the model's
  // experts have biases. A row-parallel Linear makes partial sums: the first of the ranks that
  // share an expert (etp) adds its bias; all see its gradient, which is of all rows.
  ExpertLinear(const LayerContext& ctx, const ParameterStore& store, int layer, TensorRole role,
               TensorRole bias_role, const std::vector<int64_t>& experts);

  int64_t out_features() const { return weights_.front()->value.dim(0); }
  bool has_adapter() const { return !lora_a_.empty(); }
  // backward() reads x only if a gradient of weight or adapter needs it.
  bool needs_input() const { return weights_.front()->grad.defined() || has_adapter(); }

  // x (R, in) -> y (R, out). adapter_state becomes x A^T (R, r), in `category`, or stays undefined
  // without adapter.
  void forward(const LayerContext& ctx, const std::vector<int64_t>& rows_of_expert,
               const ProductOperand& x, const Tensor& y, Tensor* adapter_state,
               MemoryCategory category) const;
  // dx (R, in) = dy W, or += with accumulate. x and dy must not change afterwards when ctx.deferred
  // puts the weights' gradients off.
  void backward(const LayerContext& ctx, const std::vector<int64_t>& rows_of_expert,
                const Tensor& dy, const ProductOperand& x, const Tensor& adapter_state,
                const Tensor& dx, bool accumulate) const;

 private:
  bool is_in_8_bits() const { return weights_.front()->is_multiplied_in_8_bits; }
  bool is_in_4_bits() const { return weights_.front()->in_4_bits.defined(); }
  // y (R, out) = x W[e]^T and dx (R, in) = dy W[e] in the compute dtype.
  void multiply(const LayerContext& ctx, const std::vector<int64_t>& rows_of_expert,
                const Tensor& x, const Tensor& y) const;
  void multiply_back(const LayerContext& ctx, const std::vector<int64_t>& rows_of_expert,
                     const Tensor& dy, const Tensor& dx, bool accumulate) const;

  std::vector<const Parameter*> weights_;          // [E/ep]
  std::vector<const Parameter*> biases_;           // [E/ep], empty without
  std::vector<const Parameter*> lora_a_, lora_b_;  // [E/ep], empty without adapter
  bool adds_biases_ = false;
  double lora_scale_ = 0;
};

}  // namespace argosy
