// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Copies, sums and conversions. Shapes agree; dtypes may differ (computed in the wider one).
#pragma once

#include <span>

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

void fill_zero(DeviceContext& ctx, const Tensor& x);
void copy(DeviceContext& ctx, const Tensor& from,
          const Tensor& to);  // converts between fp64, fp32 and bf16 (nearest even)
void add(DeviceContext& ctx, const Tensor& x, const Tensor& y);  // y += x
void scale(DeviceContext& ctx, double factor, const Tensor& y);  // y *= factor

// y (N,C) += bias (C).
void add_bias(DeviceContext& ctx, const Tensor& bias, const Tensor& y);
// dbias (C), gradient dtype, += sum of dy (N,C) over rows, in row order.
void bias_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& dbias);

// y (N,C) = x (N,C) * sigmoid(gate (N)); gate in the statistic dtype.
void sigmoid_gate_forward(DeviceContext& ctx, const Tensor& x, const Tensor& gate, const Tensor& y);
// dx (N,C) = dy * sigmoid(gate); dgate (N) = sum over C of dy * x * sigmoid'(gate).
void sigmoid_gate_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x,
                           const Tensor& gate, const Tensor& dx, const Tensor& dgate);

// Deterministic sums in double that stay on the device: nobody waits for them. total: fp64 (1).
void add_sum(DeviceContext& ctx, const Tensor& x, const Tensor& total);  // total += sum of x
// total = sum of squares over all parts, which have one dtype.
void sum_of_squares(DeviceContext& ctx, std::span<const Tensor> parts, const Tensor& total);

// What each device defines; operands are checked.
namespace detail {
template <Device device>
void fill_zero(const Tensor& x);
template <Device device>
void copy(const Tensor& from, const Tensor& to);
template <Device device>
void add(const Tensor& x, const Tensor& y);
template <Device device>
void scale(double factor, const Tensor& y);
template <Device device>
void add_bias(const Tensor& bias, const Tensor& y);
template <Device device>
void bias_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& dbias);
template <Device device>
void sigmoid_gate_forward(const Tensor& x, const Tensor& gate, const Tensor& y);
template <Device device>
void sigmoid_gate_backward(const Tensor& dy, const Tensor& x, const Tensor& gate, const Tensor& dx,
                           const Tensor& dgate);
template <Device device>
void add_sum(DeviceContext& ctx, const Tensor& x, const Tensor& total);
template <Device device>
void sum_of_squares(DeviceContext& ctx, std::span<const Tensor> parts, const Tensor& total);
}  // namespace detail

}  // namespace argosy::ops
