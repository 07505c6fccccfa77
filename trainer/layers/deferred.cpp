// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/deferred.h"

#include <utility>

#include "trainer/layers/tensor_parallel.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/grouped_matmul.h"
#include "trainer/ops/matmul.h"

namespace argosy {

namespace {

// Gradient of parameters[g] += alpha * (rows of dy)^T (rows of x), now.
void add_products(const LayerContext& ctx, const std::vector<const Parameter*>& parameters,
                  const std::vector<int64_t>& rows, const ProductOperand& dy,
                  const ProductOperand& x, double alpha, const Tensor& bias_gradient = {}) {
  // All are of one Linear: the first sum of a step is the first of each, and the last the last.
  bool accumulate = true;
  Tensor squares;
  for (const Parameter* parameter : parameters) {
    accumulate = parameter->adds_to_grad();
    squares = parameter->squares_after_this();
  }
  const ops::MatmulOptions options = {
      .accumulate = accumulate, .alpha = alpha, .bias_gradient = bias_gradient, .squares = squares};
  const bool is_in_8_bits = parameters.front()->is_multiplied_in_8_bits;
  if (parameters.size() == 1 && !is_in_8_bits) {
    ops::matmul_tn(ctx.device, dy.values(), x.values(), parameters.front()->grad, options);
    return;
  }
  std::vector<Tensor> gradients;
  gradients.reserve(parameters.size());
  for (const Parameter* parameter : parameters) gradients.push_back(parameter->grad);
  if (!is_in_8_bits) {
    ops::grouped_matmul_tn(ctx.device, dy.values(), x.values(), rows, gradients, options);
    return;
  }
  // Rows of both are tokens, which are summed over: their transposes are multiplied.
  ops::grouped_matmul_fp8_tn(ctx.device, dy.turned(ctx, rows), x.turned(ctx, rows), gradients,
                             {.accumulate = accumulate, .alpha = alpha});
  if (bias_gradient.defined()) ops::bias_backward(ctx.device, dy.values(), bias_gradient);
}

}  // namespace

void DeferredWeightGradients::add(const LayerContext& ctx,
                                  const std::vector<const Parameter*>& parameters,
                                  const std::vector<int64_t>& rows, const Tensor& dy,
                                  const Tensor& x, double alpha) {
  for (const Tensor* kept : {&dy, &x}) ctx.device.recategorize(*kept, MemoryCategory::activations);
  products_.push_back({parameters, rows, dy, x, alpha});
}

void DeferredWeightGradients::run(const LayerContext& ctx) {
  for (Product& product : std::exchange(products_, {})) {
    add_products(ctx, product.parameters, product.rows,
                 ProductOperand(product.dy, ops::Fp8Format::e5m2), product.x, product.alpha);
    product.dy.reset();
    product.x.reset();
  }
}

void add_weight_gradient(const LayerContext& ctx, const Parameter& parameter,
                         const ProductOperand& dy, const ProductOperand& x, double alpha,
                         const Tensor& bias_gradient) {
  const int64_t rows = dy.values().dim(0);
  if (ctx.deferred == nullptr) {
    return add_products(ctx, {&parameter}, {rows}, dy, x, alpha, bias_gradient);
  }
  if (bias_gradient.defined()) ops::bias_backward(ctx.device, dy.values(), bias_gradient);
  ctx.deferred->add(ctx, {&parameter}, {rows}, dy.values(), x.values(), alpha);
}

void add_weight_gradients(const LayerContext& ctx, const std::vector<const Parameter*>& parameters,
                          const std::vector<int64_t>& rows, const ProductOperand& dy,
                          const ProductOperand& x, double alpha) {
  if (ctx.deferred != nullptr) {
    ctx.deferred->add(ctx, parameters, rows, dy.values(), x.values(), alpha);
  } else {
    add_products(ctx, parameters, rows, dy, x, alpha);
  }
}

Tensor gather_gradient(const LayerContext& ctx, const Tensor& gradient, bool is_read) {
  Tensor all = gather_tokens(ctx, gradient);  // (n, H)
  const bool is_same = all.storage() == gradient.storage();
  if (ctx.deferred == nullptr || !is_read || !is_same) return all;
  Tensor copy = ctx.scratch(gradient.shape());
  ops::copy(ctx.device, gradient, copy);
  return copy;
}

}  // namespace argosy
