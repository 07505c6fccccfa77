// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/expert_linear.h"

#include "trainer/layers/deferred.h"
#include "trainer/ops/group_bias.h"
#include "trainer/ops/grouped_matmul.h"

namespace argosy {

namespace {

using CopyOf = ops::Fp8Matrix (*)(const LayerContext&, const Parameter&);

std::vector<ops::Fp8Matrix> copies_of(const LayerContext& ctx,
                                      const std::vector<const Parameter*>& parameters,
                                      CopyOf copy_of) {
  std::vector<ops::Fp8Matrix> copies;
  copies.reserve(parameters.size());
  for (const Parameter* parameter : parameters) copies.push_back(copy_of(ctx, *parameter));
  return copies;
}

std::vector<Tensor> values_of(const std::vector<const Parameter*>& parameters) {
  std::vector<Tensor> values;
  values.reserve(parameters.size());
  for (const Parameter* parameter : parameters) values.push_back(parameter->value);
  return values;
}

std::vector<Tensor> gradients_of(const std::vector<const Parameter*>& parameters) {
  std::vector<Tensor> gradients;
  gradients.reserve(parameters.size());
  for (const Parameter* parameter : parameters) gradients.push_back(parameter->grad);
  return gradients;
}

// multiply(x, rows, weights, y) for the rows of each expert that has any, of one after the other:
// so that one weight at a time is out of NF4.
template <typename Multiply>
void for_each_expert(const LayerContext& ctx, const std::vector<int64_t>& rows_of_expert,
                     const std::vector<const Parameter*>& weights, const Tensor& x, const Tensor& y,
                     const Multiply& multiply) {
  int64_t begin = 0;
  for (size_t e = 0; e < weights.size(); ++e) {
    const int64_t end = begin + rows_of_expert[e];
    if (end > begin) {
      multiply(x.rows(begin, end), {end - begin}, {values_for_product(ctx, *weights[e])},
               y.rows(begin, end));
    }
    begin = end;
  }
}

}  // namespace

ExpertLinear::ExpertLinear(const LayerContext& ctx, const ParameterStore& store, int layer,
                           TensorRole role, TensorRole bias_role,
                           const std::vector<int64_t>& experts)
    : adds_biases_(role != TensorRole::expert_down || ctx.groups.coordinates().etp == 0),
      lora_scale_(ctx.plan.lora.scale()) {
  for (const int64_t expert : experts) {
    weights_.push_back(&store.at(layer, role, expert));
    if (ctx.plan.model.moe.has_biases) biases_.push_back(&store.at(layer, bias_role, expert));
    const Parameter* a = store.find(layer, role, expert, LoraPart::a);
    if (a == nullptr) continue;
    lora_a_.push_back(a);
    lora_b_.push_back(store.find(layer, role, expert, LoraPart::b));
  }
}

void ExpertLinear::multiply(const LayerContext& ctx, const std::vector<int64_t>& rows_of_expert,
                            const Tensor& x, const Tensor& y) const {
  const auto product = [&](const Tensor& from, const std::vector<int64_t>& rows,
                           const std::vector<Tensor>& weights, const Tensor& to) {
    ops::grouped_matmul_nt(ctx.device, from, rows, weights, to);
  };
  if (!is_in_4_bits()) return product(x, rows_of_expert, values_of(weights_), y);
  for_each_expert(ctx, rows_of_expert, weights_, x, y, product);
}

void ExpertLinear::multiply_back(const LayerContext& ctx,
                                 const std::vector<int64_t>& rows_of_expert, const Tensor& dy,
                                 const Tensor& dx, bool accumulate) const {
  const auto product = [&](const Tensor& from, const std::vector<int64_t>& rows,
                           const std::vector<Tensor>& weights, const Tensor& to) {
    ops::grouped_matmul_nn(ctx.device, from, rows, weights, to, {.accumulate = accumulate});
  };
  if (!is_in_4_bits()) return product(dy, rows_of_expert, values_of(weights_), dx);
  for_each_expert(ctx, rows_of_expert, weights_, dy, dx, product);
}

void ExpertLinear::forward(const LayerContext& ctx, const std::vector<int64_t>& rows_of_expert,
                           const ProductOperand& x, const Tensor& y, Tensor* adapter_state,
                           MemoryCategory category) const {
  if (is_in_8_bits()) {
    ops::grouped_matmul_fp8(ctx.device, x.plain(ctx), rows_of_expert,
                            copies_of(ctx, weights_, in_8_bits), y);
  } else {
    multiply(ctx, rows_of_expert, x.values(), y);
  }
  if (!biases_.empty() && adds_biases_) {
    ops::add_group_biases(ctx.device, values_of(biases_), rows_of_expert, y);
  }
  if (!has_adapter()) return;
  *adapter_state =
      ctx.device.empty({x.values().dim(0), lora_a_.front()->value.dim(0)}, ctx.compute(), category);
  ops::grouped_matmul_nt(ctx.device, x.values(), rows_of_expert, values_of(lora_a_),
                         *adapter_state);
  ops::grouped_matmul_nt(ctx.device, *adapter_state, rows_of_expert, values_of(lora_b_), y,
                         {.accumulate = true, .alpha = lora_scale_});
}

void ExpertLinear::backward(const LayerContext& ctx, const std::vector<int64_t>& rows_of_expert,
                            const Tensor& dy, const ProductOperand& x, const Tensor& adapter_state,
                            const Tensor& dx, bool accumulate) const {
  const ProductOperand gradient(dy, ops::Fp8Format::e5m2);
  const bool is_trained = weights_.front()->grad.defined();
  if (is_in_8_bits()) {
    if (is_trained && ctx.deferred == nullptr) gradient.round(ctx, rows_of_expert);
    ops::grouped_matmul_fp8(ctx.device, gradient.plain(ctx), rows_of_expert,
                            copies_of(ctx, weights_, turned_in_8_bits), dx,
                            {.accumulate = accumulate});
  } else {
    multiply_back(ctx, rows_of_expert, dy, dx, accumulate);
  }
  if (!biases_.empty() && biases_.front()->grad.defined()) {
    ops::group_biases_backward(ctx.device, dy, rows_of_expert, gradients_of(biases_));
  }
  if (is_trained) add_weight_gradients(ctx, weights_, rows_of_expert, gradient, x);
  if (!has_adapter()) return;
  const Tensor du = ctx.scratch(adapter_state.shape());  // (R, r)
  ops::grouped_matmul_nn(ctx.device, dy, rows_of_expert, values_of(lora_b_), du,
                         {.alpha = lora_scale_});
  add_weight_gradients(ctx, lora_b_, rows_of_expert, dy, adapter_state, lora_scale_);
  add_weight_gradients(ctx, lora_a_, rows_of_expert, du, x);
  ops::grouped_matmul_nn(ctx.device, du, rows_of_expert, values_of(lora_a_), dx,
                         {.accumulate = true});
}

}  // namespace argosy
