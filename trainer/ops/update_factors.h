// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <cmath>
#include <limits>

#include "trainer/ops/update.h"

namespace argosy::ops {

// The scalars of one AdamW step in the type M of the update: each is computed in double.
template <typename M>
struct AdamwFactors {
  explicit AdamwFactors(const AdamwStep& step)
      : beta2(static_cast<M>(step.beta2)),
        one_minus_beta1(static_cast<M>(1 - step.beta1)),
        one_minus_beta2(static_cast<M>(1 - step.beta2)),
        eps(static_cast<M>(step.eps)) {
    const double t = static_cast<double>(step.step);
    step_size = static_cast<M>(step.lr / (1 - std::pow(step.beta1, t)));
    inv_sqrt_correction2 = static_cast<M>(1 / std::sqrt(1 - std::pow(step.beta2, t)));
  }
  M beta2, one_minus_beta1, one_minus_beta2, eps;
  M step_size;             // lr / (1 - beta1^t)
  M inv_sqrt_correction2;  // 1 / sqrt(1 - beta2^t)
};
// What decay leaves of the weights of a part.
template <typename M>
M kept_by_decay(const AdamwStep& step, double weight_decay) {
  return static_cast<M>(1 - step.lr * weight_decay);
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
