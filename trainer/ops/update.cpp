// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/update.h"

#include <array>

#include "trainer/device/host_copy.h"
#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"
#include "trainer/ops/update_factors.h"

namespace argosy::ops {

namespace {

// The update computes in the dtype of the weights or of their masters; gradients and moments have
// it too.
DType check_weights(const UpdatePart& part) {
  const Tensor& params = part.params;
  const bool has_master = params.dtype() == DType::bf16;
  CHECK(part.rest.defined() == has_master, to_string(params.dtype()), " parameters have ",
        has_master ? "a" : "no", " rest of a master");
  if (has_master) check_tensor("rest", part.rest, params.shape(), DType::int16);
  const DType dtype = statistic_of(params.dtype());
  check_tensor("grads", part.grads, params.shape(), dtype);
  return dtype;
}

// One launch has one type of parameters.
void check_alike(std::span<const UpdatePart> parts, const Tensor& numbers,
                 const Tensor& grad_scale) {
  check_tensor("numbers", numbers, {kNumUpdateNumbers}, DType::fp64);
  for (const UpdatePart& part : parts) {
    check_dtype("params", part.params, parts.front().params.dtype());
  }
  if (grad_scale.defined()) check_tensor("grad_scale", grad_scale, {1}, DType::fp64);
}

}  // namespace

Tensor make_update_numbers(DeviceContext& ctx) {
  return ctx.empty({kNumUpdateNumbers}, DType::fp64, MemoryCategory::workspace);
}

void set_update_numbers(const AdamwStep& step, const Tensor& numbers) {
  CHECK(step.step >= 1, "step ", step.step, "; the first is 1");
  std::array<double, kNumUpdateNumbers> values{};
  values[at_lr] = step.lr;
  values[at_step_size] = step_size_of(step);
  values[at_inv_sqrt_correction2] = inv_sqrt_correction2_of(step);
  copy_to_device(std::span<const double>(values), numbers);
}

void adamw_update(DeviceContext& ctx, const AdamwStep& step, std::span<const UpdatePart> parts,
                  const Tensor& grad_scale) {
  const Tensor numbers = make_update_numbers(ctx);
  set_update_numbers(step, numbers);
  adamw_update(ctx, step, numbers, parts, grad_scale);
}

void sgd_update(DeviceContext& ctx, double lr, std::span<const UpdatePart> parts,
                const Tensor& grad_scale) {
  const Tensor numbers = make_update_numbers(ctx);
  set_update_numbers({.lr = lr}, numbers);
  sgd_update(ctx, numbers, parts, grad_scale);
}

void adamw_update(DeviceContext& ctx, const AdamwStep& step, const Tensor& numbers,
                  std::span<const UpdatePart> parts, const Tensor& grad_scale) {
  for (const UpdatePart& part : parts) {
    const DType dtype = check_weights(part);
    check_tensor("exp_avg", part.exp_avg, part.params.shape(), dtype);
    check_tensor("exp_avg_sq", part.exp_avg_sq, part.params.shape(), dtype);
  }
  check_alike(parts, numbers, grad_scale);
  if (parts.empty()) return;
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::adamw_update<D>(step, numbers, parts, grad_scale); });
}

void sgd_update(DeviceContext& ctx, const Tensor& numbers, std::span<const UpdatePart> parts,
                const Tensor& grad_scale) {
  for (const UpdatePart& part : parts) check_weights(part);
  check_alike(parts, numbers, grad_scale);
  if (parts.empty()) return;
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::sgd_update<D>(numbers, parts, grad_scale); });
}

void gradient_scale(DeviceContext& ctx, const GradientTotals& totals, double clip,
                    const Tensor& scale) {
  check_tensor("num_targets", totals.num_targets, {1}, DType::fp64);
  check_tensor("loss_sum", totals.loss_sum, {1}, DType::fp64);
  check_tensor("sum_of_squares", totals.sum_of_squares, {1}, DType::fp64);
  check_tensor("scale", scale, {1}, DType::fp64);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::gradient_scale<D>(totals, clip, scale); });
}

}  // namespace argosy::ops
