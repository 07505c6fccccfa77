// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/ops/activation.h"

#include "trainer/ops/checks.h"
#include "trainer/ops/dispatch.h"

namespace argosy::ops {

namespace {

void check_pair(const Tensor& gate, const Tensor& up, const Tensor& y) {
  check_tensor("up", up, gate.shape(), gate.dtype());
  check_tensor("y", y, gate.shape(), gate.dtype());
}

void check_gradients(const Tensor& dy, const Tensor& gate, const Tensor& up, const Tensor& dgate,
                     const Tensor& dup) {
  check_tensor("dy", dy, gate.shape(), gate.dtype());
  check_tensor("up", up, gate.shape(), gate.dtype());
  check_tensor("dgate", dgate, gate.shape(), gate.dtype());
  check_tensor("dup", dup, gate.shape(), gate.dtype());
}

}  // namespace

void swiglu_forward(DeviceContext& ctx, const Tensor& gate, const Tensor& up, const Tensor& y) {
  check_pair(gate, up, y);
  dispatch_device(ctx.device(), [&]<Device D>() { detail::swiglu_forward<D>(gate, up, y); });
}

void swiglu_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& gate, const Tensor& up,
                     const Tensor& dgate, const Tensor& dup) {
  check_gradients(dy, gate, up, dgate, dup);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::swiglu_backward<D>(dy, gate, up, dgate, dup); });
}

void clamped_swiglu_forward(DeviceContext& ctx, const ClampedSwiglu& rule, const Tensor& gate,
                            const Tensor& up, const Tensor& y) {
  check_pair(gate, up, y);
  dispatch_device(ctx.device(),
                  [&]<Device D>() { detail::clamped_swiglu_forward<D>(rule, gate, up, y); });
}

void clamped_swiglu_backward(DeviceContext& ctx, const ClampedSwiglu& rule, const Tensor& dy,
                             const Tensor& gate, const Tensor& up, const Tensor& dgate,
                             const Tensor& dup) {
  check_gradients(dy, gate, up, dgate, dup);
  dispatch_device(ctx.device(), [&]<Device D>() {
    detail::clamped_swiglu_backward<D>(rule, dy, gate, up, dgate, dup);
  });
}

void gelu_forward(DeviceContext& ctx, const Tensor& x, const Tensor& y) {
  check_tensor("y", y, x.shape(), x.dtype());
  dispatch_device(ctx.device(), [&]<Device D>() { detail::gelu_forward<D>(x, y); });
}

void gelu_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& dx) {
  check_tensor("dy", dy, x.shape(), x.dtype());
  check_tensor("dx", dx, x.shape(), x.dtype());
  dispatch_device(ctx.device(), [&]<Device D>() { detail::gelu_backward<D>(dy, x, dx); });
}

}  // namespace argosy::ops
