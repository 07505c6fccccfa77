// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// RMSNorm (Zhang & Sennrich 2019) and LayerNorm (Ba et al. 2016) over the last dim. x, y: (N, C);
// gain, bias: (C); statistics: (N) in fp32, fp64 for fp64. Computed in the statistic dtype.
#pragma once

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// y = gain * x * inv_rms with inv_rms = 1 / sqrt(mean(x^2) + eps).
void rms_norm_forward(DeviceContext& ctx, const Tensor& x, const Tensor& gain, double eps,
                      const Tensor& y, const Tensor& inv_rms);
// x += residual, and y the norm of that sum: one pass over memory, the bits of add() and the norm.
void add_rms_norm_forward(DeviceContext& ctx, const Tensor& residual, const Tensor& x,
                          const Tensor& gain, double eps, const Tensor& y, const Tensor& inv_rms);
// y again from the kept statistics.
void rms_norm_apply(DeviceContext& ctx, const Tensor& x, const Tensor& gain, const Tensor& inv_rms,
                    const Tensor& y);
// dx is overwritten, or added to with accumulate_dx (the residual branch's gradient is already
// there); dgain (C, gradient dtype) is added to, and skipped when undefined. dy and dx may be the
// same tensor when not accumulating.
void rms_norm_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& gain,
                       const Tensor& inv_rms, const Tensor& dx, const Tensor& dgain,
                       bool accumulate_dx);

// y = gain * (x - mean) * inv_std + bias.
void layer_norm_forward(DeviceContext& ctx, const Tensor& x, const Tensor& gain, const Tensor& bias,
                        double eps, const Tensor& y, const Tensor& mean, const Tensor& inv_std);
// x += residual, as above.
void add_layer_norm_forward(DeviceContext& ctx, const Tensor& residual, const Tensor& x,
                            const Tensor& gain, const Tensor& bias, double eps, const Tensor& y,
                            const Tensor& mean, const Tensor& inv_std);
void layer_norm_apply(DeviceContext& ctx, const Tensor& x, const Tensor& gain, const Tensor& bias,
                      const Tensor& mean, const Tensor& inv_std, const Tensor& y);
void layer_norm_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& gain,
                         const Tensor& mean, const Tensor& inv_std, const Tensor& dx,
                         const Tensor& dgain, const Tensor& dbias, bool accumulate_dx);

// Both norms in one: without `mean` and `bias` (undefined) it is RMSNorm. `residual` may be
// undefined: then x stays as it is. One specialisation a device: norm_cpu.cpp.
namespace detail {
template <Device D>
void norm_forward(const Tensor& residual, const Tensor& x, const Tensor& gain, const Tensor& bias,
                  double eps, const Tensor& y, const Tensor& mean, const Tensor& inv);
template <Device D>
void norm_apply(const Tensor& x, const Tensor& gain, const Tensor& bias, const Tensor& mean,
                const Tensor& inv, const Tensor& y);
template <Device D>
void norm_backward(DeviceContext& ctx, const Tensor& dy, const Tensor& x, const Tensor& gain,
                   const Tensor& mean, const Tensor& inv, const Tensor& dx, const Tensor& dgain,
                   const Tensor& dbias, bool accumulate_dx);
}  // namespace detail

}  // namespace argosy::ops
