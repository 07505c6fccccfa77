// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a step adds up over all ranks, on the device and as the host reads it.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/tensor.h"

namespace argosy {

// Sums over the world; control traffic.
struct StepTotals {
  double num_targets = 0, loss_sum = 0, sum_of_squares = 0;
  double aux_sum = 0, z_sum = 0;      // of all MoE layers, coefficients left out
  std::vector<double> choices = {};   // [MoE layer of the model][E]
  std::vector<double> dropped = {};   // [MoE layer of the model]
  std::vector<double> mtp_sums = {};  // [module for multi-token prediction] its loss

  // On the device the first three stand first, in this order.
  enum Scalar { at_targets, at_loss, at_squares, num_scalars };
  static Tensor part(const Tensor& sums, Scalar scalar) {
    return sums.flat(scalar, scalar + 1, {1});
  }
};

// Then, for each MoE layer of the model, what its router adds up (ops/router_totals.h), then what
// each dropped, then each module's loss.
struct StepTotalsLayout {
  int64_t moe_layers = 0, num_experts = 0, num_modules = 0;

  int64_t row_begin(int64_t layer) const {
    return StepTotals::num_scalars + layer * (num_experts + 2);
  }
  int64_t dropped_begin(int64_t layer) const { return row_begin(moe_layers) + layer; }
  int64_t mtp_begin() const { return dropped_begin(moe_layers); }
  int64_t size() const { return mtp_begin() + num_modules; }
};

}  // namespace argosy
