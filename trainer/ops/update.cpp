// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/update.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

namespace {

// The update computes in the dtype of the weights or of their masters; gradients and moments have
// it too.
DType check_weights(const Tensor& grads, const Tensor& params, const Tensor& rest) {
  const bool has_master = params.dtype() == DType::bf16;
  CHECK(rest.defined() == has_master, to_string(params.dtype()), " parameters have ",
        has_master ? "a" : "no", " rest of a master");
  if (has_master) check_tensor("rest", rest, params.shape(), DType::int16);
  const DType dtype = statistic_of(params.dtype());
  check_tensor("grads", grads, params.shape(), dtype);
  return dtype;
}

}  // namespace

void adamw_update(DeviceContext& ctx, const AdamwStep& step, const Tensor& grads,
                  const Tensor& params, const Tensor& rest, const Tensor& exp_avg,
                  const Tensor& exp_avg_sq) {
  const DType dtype = check_weights(grads, params, rest);
  check_tensor("exp_avg", exp_avg, params.shape(), dtype);
  check_tensor("exp_avg_sq", exp_avg_sq, params.shape(), dtype);
  CHECK(step.step >= 1, "step ", step.step, "; the first is 1");
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::adamw_update<D>(step, grads, params, rest, exp_avg, exp_avg_sq);
  });
}

void sgd_update(DeviceContext& ctx, const SgdStep& step, const Tensor& grads, const Tensor& params,
                const Tensor& rest) {
  check_weights(grads, params, rest);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::sgd_update<D>(step, grads, params, rest); });
}

}  // namespace argosy::ops
