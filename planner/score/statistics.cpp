// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace argosy {

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double position = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (position - static_cast<double>(below)) * (values[above] - values[below]);
}

ErrorStatistics error_statistics(const std::vector<double>& errors) {
  ErrorStatistics s;
  s.n = static_cast<int64_t>(errors.size());
  if (errors.empty()) return s;
  std::vector<double> sizes(errors.size());
  std::transform(errors.begin(), errors.end(), sizes.begin(), [](double e) { return std::abs(e); });
  const double n = static_cast<double>(errors.size());
  s.mape = std::accumulate(sizes.begin(), sizes.end(), 0.0) / n;
  s.bias = std::accumulate(errors.begin(), errors.end(), 0.0) / n;
  s.median = quantile(sizes, 0.5);
  s.p90 = quantile(sizes, 0.9);
  return s;
}

double RankPairs::tau() const {
  const int64_t all = concordant + discordant;
  return all == 0 ? 0 : static_cast<double>(concordant - discordant) / static_cast<double>(all);
}

RankPairs& operator+=(RankPairs& sum, const RankPairs& more) {
  sum.concordant += more.concordant;
  sum.discordant += more.discordant;
  return sum;
}

RankPairs rank_pairs(const std::vector<std::pair<double, double>>& points) {
  RankPairs pairs;
  for (size_t i = 0; i < points.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const double order =
          (points[i].first - points[j].first) * (points[i].second - points[j].second);
      if (order > 0) ++pairs.concordant;
      if (order < 0) ++pairs.discordant;
    }
  }
  return pairs;
}

}  // namespace argosy
