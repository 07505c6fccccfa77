// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/elementwise.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

void fill_zero(DeviceContext& ctx, const Tensor& x) {
  dispatch_device(ctx.device(), [&]<Device D>() { detail::fill_zero<D>(x); });
}

void copy(DeviceContext& ctx, const Tensor& from, const Tensor& to) {
  check_shape("to", to, from.shape());
  dispatch_device(ctx.device(), [&]<Device D>() { detail::copy<D>(from, to); });
}

void add(DeviceContext& ctx, const Tensor& x, const Tensor& y) {
  check_shape("y", y, x.shape());
  dispatch_device(ctx.device(), [&]<Device D>() { detail::add<D>(x, y); });
}

void scale(DeviceContext& ctx, double factor, const Tensor& y) {
  dispatch_device(ctx.device(), [&]<Device D>() { detail::scale<D>(factor, y); });
}

void add_bias(DeviceContext& ctx, const Tensor& bias, const Tensor& y) {
  check_rank("y", y, 2);
  check_tensor("bias", bias, {y.dim(1)}, y.dtype());
  dispatch_device(ctx.device(), [&]<Device D>() { detail::add_bias<D>(bias, y); });
}

void bias_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& dbias) {
  check_rank("dy", dy, 2);
  check_tensor("dbias", dbias, {dy.dim(1)}, statistic_of(dy.dtype()));
  dispatch_device(ctx.device(), [&]<Device D>() { detail::bias_backward<D>(ctx, dy, dbias); });
}

void sigmoid_gate_forward(DeviceContext& ctx, const Tensor& x, const Tensor& gate,
                          const Tensor& y) {
  check_rank("x", x, 2);
  check_tensor("gate", gate, {x.dim(0)}, statistic_of(x.dtype()));
  check_tensor("y", y, x.shape(), x.dtype());
  dispatch_device(ctx.device(), [&]<Device D>() { detail::sigmoid_gate_forward<D>(x, gate, y); });
}

void sigmoid_gate_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x,
                           const Tensor& gate, const Tensor& dx, const Tensor& dgate) {
  check_rank("x", x, 2);
  check_tensor("dy", dy, x.shape(), x.dtype());
  check_tensor("gate", gate, {x.dim(0)}, statistic_of(x.dtype()));
  check_tensor("dx", dx, x.shape(), x.dtype());
  check_tensor("dgate", dgate, {x.dim(0)}, gate.dtype());
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::sigmoid_gate_backward<D>(dy, x, gate, dx, dgate); });
}

void add_sum(DeviceContext& ctx, const Tensor& x, const Tensor& total) {
  check_tensor("total", total, {1}, DType::fp64);
  dispatch_device(ctx.device(), [&]<Device D>() { detail::add_sum<D>(ctx, x, total); });
}

void sum_of_squares(DeviceContext& ctx, std::span<const Tensor> parts, const Tensor& total) {
  check_tensor("total", total, {1}, DType::fp64);
  for (const Tensor& part : parts) check_dtype("a part", part, parts.front().dtype());
  dispatch_device(ctx.device(), [&]<Device D>() { detail::sum_of_squares<D>(ctx, parts, total); });
}

}  // namespace argosy::ops
