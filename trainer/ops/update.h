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
// All (N). master: fp32, or undefined when params are the master themselves. params are rewritten
// from the master.
void adamw_update(DeviceContext& ctx, const AdamwStep& step, const Tensor& grads,
                  const Tensor& params, const Tensor& master, const Tensor& exp_avg,
                  const Tensor& exp_avg_sq);

// params -= lr * (grads * grad_scale + weight_decay * params).
struct SgdStep {
  double lr = 0, weight_decay = 0, grad_scale = 1;
};
void sgd_update(DeviceContext& ctx, const SgdStep& step, const Tensor& grads, const Tensor& params,
                const Tensor& master);

// What each device defines; operands are checked.
namespace detail {
template <Device device>
void adamw_update(const AdamwStep& step, const Tensor& grads, const Tensor& params,
                  const Tensor& master, const Tensor& exp_avg, const Tensor& exp_avg_sq);
template <Device device>
void sgd_update(const SgdStep& step, const Tensor& grads, const Tensor& params,
                const Tensor& master);
}  // namespace detail

}  // namespace argosy::ops
