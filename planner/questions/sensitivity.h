// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What each property of the machines is worth, and what a plan loses where one is not as assumed.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "planner/cost/fixed.h"
#include "planner/cost/job.h"
#include "planner/report/text_table.h"

namespace argosy {

// What a property of the machines is worth to a plan.
struct Sensitivity {
  std::string key;
  double half = 0, twice = 0;     // change of the plan's time, a share of it
  double best_at_twice = 0;       // of the best plan's time: another plan may use it better
  std::optional<bool> half_fits;  // of memory, half of which slows nothing down; else nothing
};

// The seconds that a question is about, on other machines.
struct SecondsOn {
  std::function<double(const ClusterSpec&)> of_plan;  // the plan at hand
  std::function<double(const ClusterSpec&)> of_best;  // the best plan there
  std::function<bool(const ClusterSpec&)> fits;       // does the plan at hand?
};

// Properties that act on time, most valuable first.
std::vector<Sensitivity> sensitivities(const ClusterSpec& cluster, const SecondsOn& seconds_on);

// Of the step of a plan.
std::vector<Sensitivity> sensitivities(const Job& job, const Fixed& fixed, const Plan& plan,
                                       int num_threads);

// `best` heads the last column: "doubled, best plan for it".
TextTable sensitivity_table(const std::vector<Sensitivity>& rows, const std::string& best);
// [{"property", "half", "twice", "best_at_twice"}, ...]; of memory "half" is null and there is
// "half_fits"
std::string sensitivity_json(const std::vector<Sensitivity>& rows);

// The largest loss of each plan against the best of them, as shares, when rates of the machine are
// off by +-`error`: one property at a time, and what is measured as slow as fast.
std::vector<double> worst_regrets(const Job& job, const std::vector<Plan>& plans, double error);

}  // namespace argosy
