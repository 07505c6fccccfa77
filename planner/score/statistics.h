// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Statistics of relative errors. Ratios are fractions.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace argosy {

struct ErrorStatistics {
  int64_t n = 0;
  double mape = 0, median = 0, p90 = 0;  // of |error|
  double bias = 0;                       // mean error
};
ErrorStatistics error_statistics(const std::vector<double>& errors);

// Of sorted values the one below which a share of them lies, interpolated; 0 of none.
double quantile(std::vector<double> values, double share);

// Pairs in the same order less pairs in the other order; ties of either side count for neither.
struct RankPairs {
  int64_t concordant = 0, discordant = 0;
  double tau() const;  // 0 without pairs
};
RankPairs& operator+=(RankPairs& sum, const RankPairs& more);
RankPairs rank_pairs(const std::vector<std::pair<double, double>>& points);

}  // namespace argosy
