// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// One pass of the optimizer over a flat range of parameters.
#pragma once

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// AdamW (Loshchilov & Hutter 2019) with bias correction; gradient = grads * grad_scale.
struct AdamwStep {
  double lr = 0, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0;
  double grad_scale = 1;
  int64_t step = 1;  // the first is 1
};
// All (N). Gradients and moments: fp64 for fp64, else fp32. rest: undefined, or for params in bf16
// what their fp32 masters have beyond them (int16, planner/spec/split_float.h): the masters are
// updated, and params are the masters rounded to nearest even.
void adamw_update(DeviceContext& ctx, const AdamwStep& step, const Tensor& grads,
                  const Tensor& params, const Tensor& rest, const Tensor& exp_avg,
                  const Tensor& exp_avg_sq);

// params -= lr * (grads * grad_scale + weight_decay * params).
struct SgdStep {
  double lr = 0, weight_decay = 0, grad_scale = 1;
};
void sgd_update(DeviceContext& ctx, const SgdStep& step, const Tensor& grads, const Tensor& params,
                const Tensor& rest);

// What each device defines; operands are checked.
namespace detail {
template <Device device>
void adamw_update(const AdamwStep& step, const Tensor& grads, const Tensor& params,
                  const Tensor& rest, const Tensor& exp_avg, const Tensor& exp_avg_sq);
template <Device device>
void sgd_update(const SgdStep& step, const Tensor& grads, const Tensor& params, const Tensor& rest);
}  // namespace detail

}  // namespace argosy::ops
