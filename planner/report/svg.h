// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Figures as inline SVG. Colours are classes that the page's style sheet sets (html.h).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "planner/spec/plan.h"
#include "planner/spec/timeline.h"

namespace argosy {

// Stacked bars of memory by category, one a plan, with the device's limit as a line.
std::string memory_svg(const std::vector<Plan>& plans, int64_t limit_bytes);

// A row per rank, time to the right. Ranks beyond 32 are sampled evenly, events narrower than a
// fraction of a pixel are joined, so that the size of the figure is bounded.
std::string timeline_svg(const Timeline& timeline, double span_s);

// One bar cut in proportion to the values; CSS classes share_0, share_1, ... in turn.
std::string share_class(size_t index);
std::string shares_svg(const std::vector<std::pair<std::string, double>>& name_and_value);

struct ChartPoint {
  double x = 0, y = 0;
};
// A line through the points, at most 1,000 of them, with labelled ends of both axes.
std::string line_chart_svg(const std::vector<ChartPoint>& points, const std::string& x_label,
                           const std::string& y_label);

}  // namespace argosy
