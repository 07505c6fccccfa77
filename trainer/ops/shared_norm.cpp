// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/shared_norm.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {
namespace {

void check_sums(const Tensor& x, const Tensor& sums) {
  check_rank("x", x, 2);
  check_tensor("sums", sums, {x.dim(0)}, statistic_of(x.dtype()));
}

void check_gradient(const Tensor& dy, const Tensor& x, const Tensor& gain, const Tensor& inv_rms) {
  check_tensor("dy", dy, x.shape(), x.dtype());
  check_tensor("gain", gain, {x.dim(1)}, x.dtype());
  check_tensor("inv_rms", inv_rms, {x.dim(0)}, statistic_of(x.dtype()));
}

}  // namespace

void row_squares(DeviceContext& ctx, const Tensor& x, const Tensor& sums) {
  check_sums(x, sums);
  dispatch_device(ctx.device(), [&]<Device D>() { detail::row_squares<D>(x, sums); });
}

void inverse_rms(DeviceContext& ctx, const Tensor& sums, int64_t width, double eps) {
  check_rank("sums", sums, 1);
  check_dtype("sums", sums, statistic_of(sums.dtype()));
  CHECK(width > 0, "rows of ", width);
  dispatch_device(ctx.device(), [&]<Device D>() { detail::inverse_rms<D>(sums, width, eps); });
}

void row_projections(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& gain,
                     const Tensor& inv_rms, const Tensor& sums) {
  check_sums(x, sums);
  check_gradient(dy, x, gain, inv_rms);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::row_projections<D>(dy, x, gain, inv_rms, sums); });
}

void shared_rms_norm_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x,
                              const Tensor& gain, const Tensor& inv_rms, const Tensor& sums,
                              int64_t width, const Tensor& dx, const Tensor& dgain) {
  check_sums(x, sums);
  check_gradient(dy, x, gain, inv_rms);
  check_tensor("dx", dx, x.shape(), x.dtype());
  if (dgain.defined()) check_tensor("dgain", dgain, {x.dim(1)}, statistic_of(x.dtype()));
  CHECK(width >= x.dim(1), "rows of ", width, " with ", x.dim(1), " columns here");
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::shared_rms_norm_backward<D>(ctx, dy, x, gain, inv_rms, sums, width, dx, dgain);
  });
}

}  // namespace argosy::ops
