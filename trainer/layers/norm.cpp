// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/norm.h"

#include "trainer/ops/norm.h"

namespace argosy {

Norm::Norm(const LayerContext& ctx, const ParameterStore& store, int layer, TensorRole gain,
           TensorRole bias)
    : kind_(ctx.plan.model.norm),
      eps_(ctx.plan.model.norm_eps),
      gain_(&store.at(layer, gain)),
      bias_(kind_ == NormKind::layer ? &store.at(layer, bias) : nullptr) {}

Tensor Norm::forward(const LayerContext& ctx, const Tensor& x, const Tensor& residual,
                     NormStatistics* statistics, MemoryCategory category) const {
  DeviceContext& device = ctx.device;
  Tensor y = ctx.scratch(x.shape());
  const Shape rows = {x.dim(0)};
  const Tensor inv = statistics->inverse_std = device.empty(rows, ctx.statistic(), category);
  if (kind_ == NormKind::rms) {
    if (residual.defined()) {
      ops::add_rms_norm_forward(device, residual, x, gain_->value, eps_, y, inv);
    } else {
      ops::rms_norm_forward(device, x, gain_->value, eps_, y, inv);
    }
    return y;
  }
  const Tensor mean = statistics->mean = device.empty(rows, ctx.statistic(), category);
  if (residual.defined()) {
    ops::add_layer_norm_forward(device, residual, x, gain_->value, bias_->value, eps_, y, mean,
                                inv);
  } else {
    ops::layer_norm_forward(device, x, gain_->value, bias_->value, eps_, y, mean, inv);
  }
  return y;
}

Tensor Norm::apply(const LayerContext& ctx, const Tensor& x,
                   const NormStatistics& statistics) const {
  Tensor y = ctx.scratch(x.shape());
  if (kind_ == NormKind::rms) {
    ops::rms_norm_apply(ctx.device, x, gain_->value, statistics.inverse_std, y);
  } else {
    ops::layer_norm_apply(ctx.device, x, gain_->value, bias_->value, statistics.mean,
                          statistics.inverse_std, y);
  }
  return y;
}

void Norm::backward(const LayerContext& ctx, const Tensor& dy, const Tensor& x,
                    const NormStatistics& statistics, const Tensor& dx, bool accumulate) const {
  if (kind_ == NormKind::rms) {
    ops::rms_norm_backward(ctx.device, dy, x, gain_->value, statistics.inverse_std, dx, gain_->grad,
                           accumulate);
  } else {
    ops::layer_norm_backward(ctx.device, dy, x, gain_->value, statistics.mean,
                             statistics.inverse_std, dx, gain_->grad, bias_->grad, accumulate);
  }
}

}  // namespace argosy
