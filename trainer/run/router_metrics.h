// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the routers of a step did, layer by layer: which experts got how much of the work.
#pragma once

#include <cstdint>
#include <vector>

namespace argosy {

// One entry for each mixture layer of the model, in its order.
struct RouterMetrics {
  std::vector<double> load_max_over_mean;  // most loaded expert's choices over the mean; 1: even
  // Entropy of the experts' shares over its largest value, ln E; 1: even, 0: one expert has all.
  std::vector<double> load_entropy;
  std::vector<double> dropped_share;  // of the choices, beyond an expert's capacity
  std::vector<int64_t> dead_experts;  // experts that no token chose in this step

  bool empty() const { return load_max_over_mean.empty(); }
  bool operator==(const RouterMetrics&) const = default;
};

// choices: [MoE layer][E], flat: tokens of the step that chose the expert, dropped ones included.
// dropped: [MoE layer] choices that were not computed.
RouterMetrics router_metrics(const std::vector<double>& choices, const std::vector<double>& dropped,
                             int64_t num_experts);

double mean(const std::vector<double>& values);  // 0 of none

}  // namespace argosy
