// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/norm.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {
namespace {

void check_forward(const Tensor& x, const Tensor& gain, const Tensor& inv, const Tensor& y) {
  check_rank("x", x, 2);
  check_tensor("gain", gain, {x.dim(1)}, x.dtype());
  check_tensor("the inverse deviation", inv, {x.dim(0)}, statistic_of(x.dtype()));
  check_tensor("y", y, x.shape(), x.dtype());
}

void check_residual(const Tensor& residual, const Tensor& x, const Tensor& y) {
  check_tensor("residual", residual, x.shape(), x.dtype());
  CHECK(y.raw() != x.raw() || x.size() == 0, "the sum and its norm in one place");
}

void check_centered(const Tensor& x, const Tensor& bias, const Tensor& mean) {
  check_tensor("bias", bias, {x.dim(1)}, x.dtype());
  check_tensor("mean", mean, {x.dim(0)}, statistic_of(x.dtype()));
}

void check_backward(const Tensor& dy, const Tensor& x, const Tensor& gain, const Tensor& inv,
                    const Tensor& dx, const Tensor& dgain, bool accumulate_dx) {
  check_forward(x, gain, inv, dx);
  check_tensor("dy", dy, x.shape(), x.dtype());
  if (dgain.defined()) check_tensor("dgain", dgain, {x.dim(1)}, statistic_of(x.dtype()));
  CHECK(!accumulate_dx || dy.raw() != dx.raw() || x.size() == 0, "dx is dy and accumulates");
}

}  // namespace

void rms_norm_forward(DeviceContext& ctx, const Tensor& x, const Tensor& gain, double eps,
                      const Tensor& y, const Tensor& inv_rms) {
  check_forward(x, gain, inv_rms, y);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::norm_forward<D>(Tensor(), x, gain, Tensor(), eps, y, Tensor(), inv_rms);
  });
}

void add_rms_norm_forward(DeviceContext& ctx, const Tensor& residual, const Tensor& x,
                          const Tensor& gain, double eps, const Tensor& y, const Tensor& inv_rms) {
  check_forward(x, gain, inv_rms, y);
  check_residual(residual, x, y);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::norm_forward<D>(residual, x, gain, Tensor(), eps, y, Tensor(), inv_rms);
  });
}

void rms_norm_apply(DeviceContext& ctx, const Tensor& x, const Tensor& gain, const Tensor& inv_rms,
                    const Tensor& y) {
  check_forward(x, gain, inv_rms, y);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::norm_apply<D>(x, gain, Tensor(), Tensor(), inv_rms, y);
  });
}

void rms_norm_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& gain,
                       const Tensor& inv_rms, const Tensor& dx, const Tensor& dgain,
                       bool accumulate_dx) {
  check_backward(dy, x, gain, inv_rms, dx, dgain, accumulate_dx);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::norm_backward<D>(ctx, dy, x, gain, Tensor(), inv_rms, dx, dgain, Tensor(),
                             accumulate_dx);
  });
}

void layer_norm_forward(DeviceContext& ctx, const Tensor& x, const Tensor& gain, const Tensor& bias,
                        double eps, const Tensor& y, const Tensor& mean, const Tensor& inv_std) {
  check_forward(x, gain, inv_std, y);
  check_centered(x, bias, mean);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::norm_forward<D>(Tensor(), x, gain, bias, eps, y, mean, inv_std);
  });
}

void add_layer_norm_forward(DeviceContext& ctx, const Tensor& residual, const Tensor& x,
                            const Tensor& gain, const Tensor& bias, double eps, const Tensor& y,
                            const Tensor& mean, const Tensor& inv_std) {
  check_forward(x, gain, inv_std, y);
  check_centered(x, bias, mean);
  check_residual(residual, x, y);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::norm_forward<D>(residual, x, gain, bias, eps, y, mean, inv_std);
  });
}

void layer_norm_apply(DeviceContext& ctx, const Tensor& x, const Tensor& gain, const Tensor& bias,
                      const Tensor& mean, const Tensor& inv_std, const Tensor& y) {
  check_forward(x, gain, inv_std, y);
  check_centered(x, bias, mean);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::norm_apply<D>(x, gain, bias, mean, inv_std, y); });
}

void layer_norm_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& gain,
                         const Tensor& mean, const Tensor& inv_std, const Tensor& dx,
                         const Tensor& dgain, const Tensor& dbias, bool accumulate_dx) {
  check_backward(dy, x, gain, inv_std, dx, dgain, accumulate_dx);
  check_tensor("mean", mean, {x.dim(0)}, statistic_of(x.dtype()));
  if (dbias.defined()) check_tensor("dbias", dbias, {x.dim(1)}, statistic_of(x.dtype()));
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::norm_backward<D>(ctx, dy, x, gain, mean, inv_std, dx, dgain, dbias, accumulate_dx);
  });
}

}  // namespace argosy::ops
