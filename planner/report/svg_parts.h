// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What figures are drawn of. Text is escaped here.
#pragma once

#include <string>
#include <string_view>

namespace argosy::svg {

// Sizes in the units of the view box; a page scales it to its width.
inline constexpr double kWidth = 960, kLabelWidth = 64;

std::string number(double value);
std::string open_svg(double height, const std::string& label);
std::string rectangle(double x, double y, double width, double height, std::string_view css_class,
                      const std::string& title);
std::string label(double x, double y, const std::string& text, const char* anchor = "start");
std::string line(double x1, double y1, double x2, double y2, const char* css_class);

}  // namespace argosy::svg
