// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A search as one HTML page.
#pragma once

#include <string>
#include <vector>

#include "planner/report/search_summary.h"
#include "planner/spec/cluster.h"
#include "planner/spec/plan.h"
#include "planner/spec/timeline.h"

namespace argosy {

// `predicted` is the step of plans.front(). No plans: the page says why.
std::string plan_report(const std::vector<Plan>& plans, const ClusterSpec& cluster,
                        const SearchSummary& summary, const Timeline& predicted);

}  // namespace argosy
