// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Why the other plans lose: for every value of every decision, the best plan that has it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/cost/fixed.h"
#include "planner/cost/job.h"

namespace argosy {

inline constexpr const char* kWithoutFix = "without --fix";  // Rival::decision

struct Rival {
  std::string decision;  // "tp=4"
  bool fits = false;     // a plan with this decision does
  double slower = 0;     // of the best plan's step, a share of it
  std::string others;    // what else it decides otherwise than the best plan: "pp=4 dp=8"
  std::string reason;    // what it spends more on, or why none fits
};

// `fixed` is what the user decided; other values of those decisions are not looked at, but the
// first rival is then the best plan of all ("without --fix: ..."). The values nearest to the best
// plan's, kMostRivals of a decision.
inline constexpr size_t kMostRivals = 6;
std::vector<Rival> rivals(const Job& job, const Fixed& fixed, const Plan& best, int num_threads);

}  // namespace argosy
