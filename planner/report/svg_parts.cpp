// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/svg_parts.h"

#include "planner/report/html.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy::svg {

std::string number(double value) {
  return format_fixed(value, 1);
}

std::string open_svg(double height, const std::string& label) {
  return concat("<svg viewBox=\"0 0 ", number(kWidth), " ", number(height),
                "\" role=\"img\" aria-label=\"", escape_html(label), "\">\n");
}

std::string rectangle(double x, double y, double width, double height, std::string_view css_class,
                      const std::string& title) {
  return concat("<rect class=\"", css_class, "\" x=\"", number(x), "\" y=\"", number(y),
                "\" width=\"", number(width), "\" height=\"", number(height), "\"><title>",
                escape_html(title), "</title></rect>\n");
}

std::string label(double x, double y, const std::string& text, const char* anchor) {
  return concat("<text x=\"", number(x), "\" y=\"", number(y), "\" text-anchor=\"", anchor, "\">",
                escape_html(text), "</text>\n");
}

std::string line(double x1, double y1, double x2, double y2, const char* css_class) {
  return concat("<line class=\"", css_class, "\" x1=\"", number(x1), "\" y1=\"", number(y1),
                "\" x2=\"", number(x2), "\" y2=\"", number(y2), "\"/>\n");
}

}  // namespace argosy::svg
