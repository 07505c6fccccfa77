// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <cmath>
#include <limits>

#include "trainer/ops/update.h"

namespace argosy::ops {

// lr / (1 - beta1^t)
inline double step_size_of(const AdamwStep& step) {
  return step.lr / (1 - std::pow(step.beta1, static_cast<double>(step.step)));
}
// 1 / sqrt(1 - beta2^t)
inline double inv_sqrt_correction2_of(const AdamwStep& step) {
  return 1 / std::sqrt(1 - std::pow(step.beta2, static_cast<double>(step.step)));
}

// The scalars of AdamW in the type M of the update, each computed in double: those of every step,
// and those of one, of its numbers.
template <typename M>
struct AdamwFactors {
  explicit AdamwFactors(const AdamwStep& step)
      : beta2(static_cast<M>(step.beta2)),
        one_minus_beta1(static_cast<M>(1 - step.beta1)),
        one_minus_beta2(static_cast<M>(1 - step.beta2)),
        eps(static_cast<M>(step.eps)) {}
  constexpr void read(const double* numbers) {
    step_size = static_cast<M>(numbers[at_step_size]);
    inv_sqrt_correction2 = static_cast<M>(numbers[at_inv_sqrt_correction2]);
  }
  M beta2, one_minus_beta1, one_minus_beta2, eps;
  M step_size = 0, inv_sqrt_correction2 = 0;
};
// What decay leaves of the weights of a part.
constexpr double kept_by_decay(double lr, double weight_decay) {
  return 1 - lr * weight_decay;
}

// constexpr: it runs on any device.
constexpr bool is_finite(double value) {
  return value - value == 0;
}
// gradient_scale() of a norm: of the mean of num_targets >= 1 tokens.
constexpr double gradient_scale_of(double norm, double num_targets, double loss_sum, double clip) {
  constexpr double kClipEpsilon = 1e-6;
  if (!is_finite(norm) || !is_finite(loss_sum)) return std::numeric_limits<double>::quiet_NaN();
  const double factor = clip / (norm + kClipEpsilon);
  return (clip > 0 && factor < 1 ? factor : 1.0) / num_targets;
}

}  // namespace argosy::ops
