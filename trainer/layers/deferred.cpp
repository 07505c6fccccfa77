// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/deferred.h"

#include <utility>

#include "trainer/layers/tensor_parallel.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/matmul.h"

namespace argosy {

void DeferredWeightGradients::add(const LayerContext& ctx, const Parameter& parameter,
                                  const Tensor& dy, const Tensor& x, double alpha) {
  for (const Tensor* kept : {&dy, &x}) ctx.device.recategorize(*kept, MemoryCategory::activations);
  products_.push_back({&parameter, dy, x, alpha});
}

void DeferredWeightGradients::run(const LayerContext& ctx) {
  for (Product& product : std::exchange(products_, {})) {
    ops::matmul_tn(ctx.device, product.dy, product.x, product.parameter->grad,
                   {.accumulate = true, .alpha = product.alpha});
    product.dy.reset();
    product.x.reset();
  }
}

void add_weight_gradient(const LayerContext& ctx, const Parameter& parameter, const Tensor& dy,
                         const Tensor& x, double alpha) {
  if (ctx.deferred != nullptr) {
    ctx.deferred->add(ctx, parameter, dy, x, alpha);
    return;
  }
  ops::matmul_tn(ctx.device, dy, x, parameter.grad, {.accumulate = true, .alpha = alpha});
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
