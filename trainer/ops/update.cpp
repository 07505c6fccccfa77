// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/update.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

namespace {

// The update computes in the dtype of the weights that carry it: the master or, without one, the
// parameters. Gradients and moments have it too.
DType check_weights(const Tensor& grads, const Tensor& params, const Tensor& master) {
  const DType dtype = master.defined() ? master.dtype() : params.dtype();
  CHECK(dtype == statistic_of(params.dtype()), "parameters in ", to_string(params.dtype()),
        " are updated in ", to_string(statistic_of(params.dtype())), ", not ", to_string(dtype));
  if (master.defined()) check_shape("master", master, params.shape());
  check_tensor("grads", grads, params.shape(), dtype);
  return dtype;
}

}  // namespace

void adamw_update(DeviceContext& ctx, const AdamwStep& step, const Tensor& grads,
                  const Tensor& params, const Tensor& master, const Tensor& exp_avg,
                  const Tensor& exp_avg_sq) {
  const DType dtype = check_weights(grads, params, master);
  check_tensor("exp_avg", exp_avg, params.shape(), dtype);
  check_tensor("exp_avg_sq", exp_avg_sq, params.shape(), dtype);
  CHECK(step.step >= 1, "step ", step.step, "; the first is 1");
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::adamw_update<D>(step, grads, params, master, exp_avg, exp_avg_sq);
  });
}

void sgd_update(DeviceContext& ctx, const SgdStep& step, const Tensor& grads, const Tensor& params,
                const Tensor& master) {
  check_weights(grads, params, master);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::sgd_update<D>(step, grads, params, master); });
}

}  // namespace argosy::ops
