// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <cmath>

#include "trainer/ops/update.h"

namespace argosy::ops {

// The scalars of one AdamW step in the type M of the update: each is computed in double.
template <typename M>
struct AdamwFactors {
  explicit AdamwFactors(const AdamwStep& step)
      : grad_scale(static_cast<M>(step.grad_scale)),
        keep(static_cast<M>(1 - step.lr * step.weight_decay)),
        beta2(static_cast<M>(step.beta2)),
        one_minus_beta1(static_cast<M>(1 - step.beta1)),
        one_minus_beta2(static_cast<M>(1 - step.beta2)),
        eps(static_cast<M>(step.eps)) {
    const double t = static_cast<double>(step.step);
    step_size = static_cast<M>(step.lr / (1 - std::pow(step.beta1, t)));
    inv_sqrt_correction2 = static_cast<M>(1 / std::sqrt(1 - std::pow(step.beta2, t)));
  }
  M grad_scale, keep, beta2, one_minus_beta1, one_minus_beta2, eps;
  M step_size;             // lr / (1 - beta1^t)
  M inv_sqrt_correction2;  // 1 / sqrt(1 - beta2^t)
};

}  // namespace argosy::ops
