// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Questions over parts of a cluster: what can be traded between time, money and carbon, and which
// is the smallest part that is done in time. Each part has the plans that a search on as many
// devices has: where the job's batch is a default, with the batch that is the default there.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "planner/cost/fixed.h"
#include "planner/cost/job.h"

namespace argosy {

// A point of the front: nothing else is better in one of days, cost_usd and carbon_kg of its
// prediction without being worse in another. Devices are the world size of the plan's mesh.
struct ParetoPoint {
  Plan plan;
  bool is_on_front = true;
};

// The fastest and the least emitting plans on the cluster and on whole nodes of it, by fractions.
// Points of the front first, by days; then the others. The job needs tokens.
std::vector<ParetoPoint> pareto_points(const Job& job, const Fixed& fixed, int num_threads);

// "30d", "12h", "2.5w" -> days. Throws ConfigError naming --deadline.
double days_from_string(std::string_view text);

// The plan of the smallest part of the cluster that is done in `days`; none if no part is. Parts
// are whole nodes whose number has no prime factor above 7 (others split badly), or divisors of one
// node.
std::optional<Plan> smallest_in_time(const Job& job, const Fixed& fixed, double days,
                                     int num_threads);

}  // namespace argosy
