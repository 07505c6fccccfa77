// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a search did, for tables and pages.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace argosy {

struct Rejection {
  std::string reason;
  int64_t count = 0;    // points of the search space
  std::string nearest;  // the one that came closest, and by how much it missed
};

struct SearchSummary {
  int64_t candidates = 0;  // points of the stated space, those dismissed by a bound included
  int64_t feasible = 0;    // of them, those that divide and fit
  int64_t evaluated = 0;   // of those, costed in full with their schedule simulated
  double seconds = 0;
  std::vector<Rejection> rejected;  // most frequent first
};

}  // namespace argosy
