// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Activations of the MLP; element by element, any equal shapes.
#pragma once

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// y = silu(gate) * up (Shazeer 2020).
void swiglu_forward(DeviceContext& ctx, const Tensor& gate, const Tensor& up, const Tensor& y);
// dgate and dup may be gate and up themselves.
void swiglu_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& gate, const Tensor& up,
                     const Tensor& dgate, const Tensor& dup);

// y = (u + 1) g sigmoid(alpha g) with g = min(gate, limit) and u = up within +-limit: the experts
// of gpt-oss (arXiv 2508.10925, section 2.4.1).
struct ClampedSwiglu {
  double limit = 7.0, alpha = 1.702;
};
void clamped_swiglu_forward(DeviceContext& ctx, const ClampedSwiglu& rule, const Tensor& gate,
                            const Tensor& up, const Tensor& y);
// What lies beyond a limit gets no gradient. dgate and dup may be gate and up themselves, dup dy.
void clamped_swiglu_backward(DeviceContext& ctx, const ClampedSwiglu& rule, const Tensor& dy,
                             const Tensor& gate, const Tensor& up, const Tensor& dgate,
                             const Tensor& dup);

// y = gelu(x), tanh approximation (Hendrycks & Gimpel 2016), as GPT-2.
void gelu_forward(DeviceContext& ctx, const Tensor& x, const Tensor& y);
void gelu_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& dx);

// One specialisation a device: activation_cpu.cpp.
namespace detail {
template <Device D>
void swiglu_forward(const Tensor& gate, const Tensor& up, const Tensor& y);
template <Device D>
void swiglu_backward(const Tensor& dy, const Tensor& gate, const Tensor& up, const Tensor& dgate,
                     const Tensor& dup);
template <Device D>
void clamped_swiglu_forward(const ClampedSwiglu& rule, const Tensor& gate, const Tensor& up,
                            const Tensor& y);
template <Device D>
void clamped_swiglu_backward(const ClampedSwiglu& rule, const Tensor& dy, const Tensor& gate,
                             const Tensor& up, const Tensor& dgate, const Tensor& dup);
template <Device D>
void gelu_forward(const Tensor& x, const Tensor& y);
template <Device D>
void gelu_backward(const Tensor& dy, const Tensor& x, const Tensor& dx);
}  // namespace detail

}  // namespace argosy::ops
