// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// RMSNorm (norm.h) of rows that ranks share: each has some columns of every row, and what is summed
// over a row is summed over the ranks between two calls. x, dy, dx: (N, C), of `width` columns on
// all ranks together; gain: (C); sums, inv_rms: (N) in the statistic dtype. Columns that several
// ranks hold count in `width` and in the sums as often: where each has a part of their gradient, dx
// is a part as well.
//
//   row_squares, sum over ranks, inverse_rms, rms_norm_apply
//   row_projections, sum over ranks, shared_rms_norm_backward
#pragma once

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// sums = sum over the row of x^2.
void row_squares(DeviceContext& ctx, const Tensor& x, const Tensor& sums);
// In place: sums of squares -> 1 / sqrt(sums / width + eps).
void inverse_rms(DeviceContext& ctx, const Tensor& sums, int64_t width, double eps);
// sums = sum over the row of gain * dy * x * inv_rms.
void row_projections(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& gain,
                     const Tensor& inv_rms, const Tensor& sums);
// dx = inv_rms * (gain * dy - x * inv_rms * sums / width), which may be dy; dgain (C, gradient
// dtype) is added to, and skipped when undefined.
void shared_rms_norm_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x,
                              const Tensor& gain, const Tensor& inv_rms, const Tensor& sums,
                              int64_t width, const Tensor& dx, const Tensor& dgain);

// One specialisation a device: shared_norm_cpu.cpp.
namespace detail {
template <Device D>
void row_squares(const Tensor& x, const Tensor& sums);
template <Device D>
void inverse_rms(const Tensor& sums, int64_t width, double eps);
template <Device D>
void row_projections(const Tensor& dy, const Tensor& x, const Tensor& gain, const Tensor& inv_rms,
                     const Tensor& sums);
template <Device D>
void shared_rms_norm_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x,
                              const Tensor& gain, const Tensor& inv_rms, const Tensor& sums,
                              int64_t width, const Tensor& dx, const Tensor& dgain);
}  // namespace detail

}  // namespace argosy::ops
