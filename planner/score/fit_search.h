// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The six numbers with which some runs are predicted best, held back towards their priors. fit.h
// says whose runs and which priors.
#pragma once

#include <array>
#include <vector>

#include "planner/score/score.h"

namespace argosy {

struct FitRun {
  PreparedRun* run;
  const StackNumbers* prior;
};
using FitRuns = std::vector<FitRun>;

// Of a set of numbers, in the order of kStackNumbers.
inline constexpr size_t kMatmul = 0, kAttention = 1, kMemory = 2, kLink = 3, kHost = 4,
                        kLowPrecision = 5;
using Deviation = std::array<double, kNumStackNumbers>;  // logarithms of factors to the prior
StackNumbers numbers_at(const StackNumbers& prior, const Deviation& deviation);

struct Found {
  Deviation deviation{};
  double loss = 0;  // sum of absolute errors, a share of their bias, and what deviations cost
};

// Where searches start: at the prior; also with slow links; also with slow memory and hosts.
enum class SearchStarts { prior, slow_links, all };

// `pull`: what a deviation by a factor e costs, in rows that are off by 100%. `unfitted`: the
// number that stays its prior.
Found find_numbers(const FitRuns& runs, double pull, size_t unfitted, SearchStarts starts);

}  // namespace argosy
