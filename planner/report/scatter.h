// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Points in a plane with the front of those that nothing is better than, as inline SVG.
#pragma once

#include <string>
#include <vector>

namespace argosy {

struct ScatterPoint {
  double x = 0, y = 0;  // above 0: both axes are logarithmic
  std::string name;     // short, beside the point
  std::string detail;   // shown on hovering
  bool is_on_front = true;
};

// A step line joins the points that no other is below and left of. Labels name the axes with their
// units; `no points` is said where there are none.
std::string scatter_svg(const std::vector<ScatterPoint>& points, const std::string& x_label,
                        const std::string& y_label);

}  // namespace argosy
