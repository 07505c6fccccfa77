// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// One pass of the optimizer over parts of the parameters.
#pragma once

#include <span>

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// What an update changes, all (N). Gradients and moments: fp64 for fp64, else fp32. rest:
// undefined, or for params in bf16 what their fp32 masters have beyond them (int16,
// planner/spec/split_float.h): the masters are updated, and params are the masters rounded to
// nearest even. SGD has no moments.
struct UpdatePart {
  Tensor grads, params, rest = {}, exp_avg = {}, exp_avg_sq = {};
  double weight_decay = 0;
};

// AdamW (Loshchilov & Hutter 2019) with bias correction.
struct AdamwStep {
  double lr = 0, beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  int64_t step = 1;  // the first is 1
};

// What of an update changes from step to step, where the update reads it: a captured update must
// not have it as an argument. fp64 (kNumUpdateNumbers).
enum UpdateNumber { at_lr, at_step_size, at_inv_sqrt_correction2, kNumUpdateNumbers };
Tensor make_update_numbers(DeviceContext& ctx);
// The host's part of an update, before it: in the order of the ops. SGD has a learning rate alone.
void set_update_numbers(const AdamwStep& step, const Tensor& numbers);

// Updates all parts, of one dtype each, in one pass. grad_scale: fp64 (1) on the device, what
// gradients are multiplied by, or undefined for 1; where it is not finite nothing is written.
// numbers: of this step; of `step` the betas and eps are read.
void adamw_update(DeviceContext& ctx, const AdamwStep& step, const Tensor& numbers,
                  std::span<const UpdatePart> parts, const Tensor& grad_scale = {});
// params -= lr * (grads * grad_scale + weight_decay * params).
void sgd_update(DeviceContext& ctx, const Tensor& numbers, std::span<const UpdatePart> parts,
                const Tensor& grad_scale = {});
// The same with numbers of their own.
void adamw_update(DeviceContext& ctx, const AdamwStep& step, std::span<const UpdatePart> parts,
                  const Tensor& grad_scale = {});
void sgd_update(DeviceContext& ctx, double lr, std::span<const UpdatePart> parts,
                const Tensor& grad_scale = {});

// scale (1) for gradients that are sums over the tokens that were predicted: the mean, and the norm
// of that cut to `clip` (0: not cut). All fp64 (1) on the device, of the whole job:
//   n = max(num_targets, 1); norm = sqrt(sum_of_squares) / n
//   scale = min(1, clip / (norm + 1e-6)) / n    (epsilon: PyTorch's clip_grad_norm_)
// NaN where the norm or the loss is not finite, so that an update does nothing.
struct GradientTotals {
  Tensor num_targets, loss_sum, sum_of_squares;
};
void gradient_scale(DeviceContext& ctx, const GradientTotals& totals, double clip,
                    const Tensor& scale);

// What each device defines; operands are checked.
namespace detail {
template <Device device>
void adamw_update(const AdamwStep& step, const Tensor& numbers, std::span<const UpdatePart> parts,
                  const Tensor& grad_scale);
template <Device device>
void sgd_update(const Tensor& numbers, std::span<const UpdatePart> parts, const Tensor& grad_scale);
template <Device device>
void gradient_scale(const GradientTotals& totals, double clip, const Tensor& scale);
}  // namespace detail

}  // namespace argosy::ops
