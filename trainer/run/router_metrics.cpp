// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run/router_metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "planner/spec/check.h"

namespace argosy {

namespace {

// -sum p ln p / ln E of the experts' shares p; with one expert there is nothing to be uneven.
double normalized_entropy(std::span<const double> loads, double total) {
  if (loads.size() < 2 || total <= 0) return 1.0;
  double entropy = 0;
  for (const double load : loads) {
    if (load > 0) entropy -= load / total * std::log(load / total);
  }
  return entropy / std::log(static_cast<double>(loads.size()));
}

}  // namespace

RouterMetrics router_metrics(const std::vector<double>& choices, const std::vector<double>& dropped,
                             int64_t num_experts) {
  RouterMetrics metrics;
  const auto width = static_cast<size_t>(num_experts);
  CHECK(choices.size() == dropped.size() * width, choices.size(), " choices for ", dropped.size(),
        " layers of ", num_experts, " experts");
  for (size_t layer = 0; layer < dropped.size(); ++layer) {
    const std::span<const double> loads(choices.data() + layer * width, width);
    const double total = std::accumulate(loads.begin(), loads.end(), 0.0);
    const double mean_load = total / static_cast<double>(num_experts);
    metrics.load_max_over_mean.push_back(
        total > 0 ? *std::max_element(loads.begin(), loads.end()) / mean_load : 1.0);
    metrics.load_entropy.push_back(normalized_entropy(loads, total));
    metrics.dropped_share.push_back(total > 0 ? dropped[layer] / total : 0.0);
    metrics.dead_experts.push_back(std::count(loads.begin(), loads.end(), 0.0));
  }
  return metrics;
}

double mean(const std::vector<double>& values) {
  if (values.empty()) return 0.0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace argosy
