// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A search as one HTML page: nothing is loaded, nothing runs; plans and axes are chosen by
// clicking.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "planner/report/html.h"
#include "planner/report/search_summary.h"
#include "planner/spec/cluster.h"
#include "planner/spec/plan.h"
#include "planner/spec/timeline.h"

namespace argosy {

// A plan on a part of the cluster, for the plot of time, money and carbon.
struct ReportPoint {
  Plan plan;
  bool is_on_front = true;
};

// One of the plans in detail.
struct ReportPlan {
  Timeline step;                                      // predicted
  std::vector<std::pair<std::string, double>> parts;  // of the step: names and seconds
};

struct PlanReport {
  std::vector<Plan> plans;  // best first; none: the page says why
  ClusterSpec cluster;
  SearchSummary summary;
  std::vector<ReportPlan> details;                        // of the first plans
  std::vector<ReportPoint> points;                        // empty: not asked
  std::vector<std::pair<std::string, TextTable>> tables;  // more answers, with their titles
};

std::string plan_report(const PlanReport& report);

}  // namespace argosy
