// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Other machines than those of the cluster file: --what-if, and what each property is worth.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "planner/cost/fixed.h"
#include "planner/cost/job.h"

namespace argosy {

// "inter_bw=2x", "hbm=141GB", "price=1", "mtbf=-10%".
struct MachineChange {
  std::string key, text;  // as written
  double value = 0;
  bool is_factor = false;  // of what the file says
};

// Throws ConfigError naming key and value, and the keys that there are.
std::vector<MachineChange> parse_machine_changes(std::string_view text);

// Throws ConfigError where the result makes no sense: more reserved than memory, no such tier.
ClusterSpec with_changes(ClusterSpec cluster, const std::vector<MachineChange>& changes);

// What a machine's property is worth to a plan.
struct Sensitivity {
  std::string key;
  double half = 0, twice = 0;  // change of the plan's step, a share of it
  double best_at_twice = 0;    // of the best plan's step: another plan may use it better
};

// Properties that act on the time of a step, most valuable first.
std::vector<Sensitivity> sensitivities(const Job& job, const Fixed& fixed, const Plan& plan,
                                       int num_threads);

// The largest loss of each plan against the best of them, as shares, when rates of the machine are
// off by +-`error`: one property at a time, and what is measured as slow as fast.
std::vector<double> worst_regrets(const Job& job, const std::vector<Plan>& plans, double error);

}  // namespace argosy
