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
                  const std::vector<int64_t>& rows, const Tensor& dy, const Tensor& x, double alpha,
                  const Tensor& bias_gradient = {}) {
  // All are of one Linear: the first sum of a step is the first of each.
  bool accumulate = true;
  for (const Parameter* parameter : parameters) accumulate = parameter->adds_to_grad();
  const ops::MatmulOptions options = {
      .accumulate = accumulate, .alpha = alpha, .bias_gradient = bias_gradient};
  if (parameters.size() == 1) {
    ops::matmul_tn(ctx.device, dy, x, parameters.front()->grad, options);
    return;
  }
  std::vector<Tensor> gradients;
  for (const Parameter* parameter : parameters) gradients.push_back(parameter->grad);
  ops::grouped_matmul_tn(ctx.device, dy, x, rows, gradients, options);
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
    add_products(ctx, product.parameters, product.rows, product.dy, product.x, product.alpha);
    product.dy.reset();
    product.x.reset();
  }
}

void add_weight_gradient(const LayerContext& ctx, const Parameter& parameter, const Tensor& dy,
                         const Tensor& x, double alpha, const Tensor& bias_gradient) {
  if (ctx.deferred == nullptr) {
    return add_products(ctx, {&parameter}, {dy.dim(0)}, dy, x, alpha, bias_gradient);
  }
  if (bias_gradient.defined()) ops::bias_backward(ctx.device, dy, bias_gradient);
  ctx.deferred->add(ctx, {&parameter}, {dy.dim(0)}, dy, x, alpha);
}

void add_weight_gradients(const LayerContext& ctx, const std::vector<const Parameter*>& parameters,
                          const std::vector<int64_t>& rows, const Tensor& dy, const Tensor& x,
                          double alpha) {
  if (ctx.deferred != nullptr) {
    ctx.deferred->add(ctx, parameters, rows, dy, x, alpha);
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
