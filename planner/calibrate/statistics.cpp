// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/calibrate/statistics.h"

#include <algorithm>
#include <cmath>

#include "planner/spec/check.h"

namespace argosy {

double median(std::vector<double> values) {
  CHECK(!values.empty(), "a median of nothing");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

double shrunken_factor(const std::vector<double>& ratios) {
  if (ratios.empty()) return 1;
  std::vector<double> logarithms;
  for (const double ratio : ratios) {
    CHECK(ratio > 0 && std::isfinite(ratio), "ratio ", ratio);
    logarithms.push_back(std::log(ratio));
  }
  const double center = median(logarithms);
  double sum = 0;
  for (const double x : logarithms) sum += std::clamp(x, center - kOutlier, center + kOutlier);
  const double n = static_cast<double>(ratios.size());
  const double weight = n / (n + kRunScatter * kRunScatter / (kPrior * kPrior));
  return std::exp(weight * sum / n);
}

}  // namespace argosy
