// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where the seconds between mpirun and the first step went.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "planner/spec/clock.h"

namespace argosy {

class StartTimes {
 public:
  // Counts from the construction, as early in main() as can be; what was before is read from the
  // system: "mpirun", from the start of the process that started this one, and "load", from the
  // start of this one. Both are known to 10 ms and left out where the system does not tell.
  StartTimes();
  // What was done since the last lap.
  void lap(std::string_view phase);
  double total_s() const;
  // "0.84 s: mpirun 0.26, load 0.03, MPI 0.12, ...".
  std::string text() const;
  const std::vector<std::pair<std::string, double>>& phases() const { return phases_; }

 private:
  std::vector<std::pair<std::string, double>> phases_;  // name, seconds
  Clock::time_point last_ = Clock::now();
};

}  // namespace argosy
