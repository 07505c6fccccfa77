// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Numbers that a few bad measurements do not move.
#pragma once

#include <vector>

namespace argosy {

// The standard deviation of a normal distribution over its median absolute deviation.
inline constexpr double kNormalScatter = 1.4826;

// The mean of the middle two where the count is even. Of at least one value.
double median(std::vector<double> values);

// A factor from ratios of measured to predicted, each of one run. In logarithms: deviations from
// the median beyond kOutlier count as kOutlier, then the mean, pulled towards no correction at all
// as far as runs are few: a prior N(0, kPrior^2) meets runs that scatter by kRunScatter. Without
// ratios: 1.
//   kPrior        predictions of an uncalibrated planner are off by 1.2 to 1.5 and more
//   kRunScatter   medians of a run on a shared machine repeat within about a tenth
double shrunken_factor(const std::vector<double>& ratios);
inline constexpr double kPrior = 0.5, kRunScatter = 0.1, kOutlier = 0.3;

}  // namespace argosy
