// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/scatter.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "planner/report/html.h"
#include "planner/report/svg_parts.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

using namespace svg;  // NOLINT: the drawing words of this room

constexpr double kHeight = 320, kTop = 16, kBottom = 270, kRight = kWidth - 60;
constexpr double kRadius = 5;
constexpr double kMargin = 0.05;  // of an axis, beyond the outermost points

// Logarithmic: [low, high] to [begin, end] with a margin.
struct Axis1d {
  double low = 1, high = 1, begin = 0, end = 1;

  double at(double value) const {
    const double span = std::max(std::log(high / low), 1e-9);
    const double share = kMargin + (1 - 2 * kMargin) * std::log(value / low) / span;
    return begin + share * (end - begin);
  }
};

Axis1d axis_of(const std::vector<ScatterPoint>& points, double ScatterPoint::*member, double begin,
               double end) {
  Axis1d axis{std::numeric_limits<double>::infinity(), 0, begin, end};
  for (const ScatterPoint& p : points) {
    axis.low = std::min(axis.low, p.*member);
    axis.high = std::max(axis.high, p.*member);
  }
  return axis;
}

// Lower left corner of the points: in the order of x, those whose y is below all before.
std::string front_line(std::vector<ScatterPoint> points, const Axis1d& x, const Axis1d& y) {
  std::stable_sort(points.begin(), points.end(), [](const ScatterPoint& a, const ScatterPoint& b) {
    return a.x < b.x || (a.x == b.x && a.y < b.y);
  });
  std::string text = "<polyline class=\"curve\" points=\"";
  double lowest = std::numeric_limits<double>::infinity();
  for (const ScatterPoint& p : points) {
    if (p.y >= lowest) continue;
    if (std::isfinite(lowest)) text += concat(number(x.at(p.x)), ",", number(y.at(lowest)), " ");
    text += concat(number(x.at(p.x)), ",", number(y.at(p.y)), " ");
    lowest = p.y;
  }
  return text + "\"/>\n";
}

std::string dot(const ScatterPoint& p, const Axis1d& x, const Axis1d& y) {
  const char* kind = p.is_on_front ? "dot" : "dot behind";
  return concat("<circle class=\"", kind, "\" cx=\"", number(x.at(p.x)), "\" cy=\"",
                number(y.at(p.y)), "\" r=\"", number(kRadius), "\"><title>", escape_html(p.detail),
                "</title></circle>\n") +
         label(x.at(p.x) + kRadius + 3, y.at(p.y) - 3, p.name);
}

}  // namespace

std::string scatter_svg(const std::vector<ScatterPoint>& points, const std::string& x_label,
                        const std::string& y_label) {
  std::vector<ScatterPoint> drawn;
  for (const ScatterPoint& p : points) {
    if (p.x > 0 && p.y > 0 && std::isfinite(p.x) && std::isfinite(p.y)) drawn.push_back(p);
  }
  std::string text = open_svg(kHeight, concat(y_label, " over ", x_label));
  if (drawn.empty()) return text + label(kLabelWidth, kTop, "no points") + "</svg>\n";
  const Axis1d x = axis_of(drawn, &ScatterPoint::x, kLabelWidth, kRight);
  const Axis1d y = axis_of(drawn, &ScatterPoint::y, kBottom, kTop);
  text += line(kLabelWidth, kBottom, kRight, kBottom, "axis");
  text += line(kLabelWidth, kTop, kLabelWidth, kBottom, "axis");
  text += front_line(drawn, x, y);
  for (const ScatterPoint& p : drawn) text += dot(p, x, y);
  text += label(x.at(x.low), kBottom + 16, format_count(x.low), "middle") +
          label(x.at(x.high), kBottom + 16, format_count(x.high), "middle");
  text += label(kLabelWidth - 6, y.at(y.low), format_count(y.low), "end") +
          label(kLabelWidth - 6, y.at(y.high), format_count(y.high), "end");
  text += label(kRight, kBottom + 34, x_label, "end") + label(kLabelWidth + 4, kTop, y_label);
  return text + "</svg>\n";
}

}  // namespace argosy
