// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/svg.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "planner/report/svg_parts.h"
#include "planner/report/timeline_kind.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

using namespace svg;  // NOLINT: the drawing words of this room

constexpr double kRowHeight = 22, kBarHeight = 16;
constexpr int kMostRanks = 32;
constexpr double kNarrowest = 1.2;  // narrower events of a kind are joined
constexpr size_t kMostPoints = 1000;

// Rank -> row; all ranks, or kMostRanks of them at even distances.
std::map<int, int> rows_of(const Timeline& timeline) {
  int num_ranks = 0;
  for (const TimelineEvent& event : timeline.events)
    num_ranks = std::max(num_ranks, event.rank + 1);
  const int shown = std::min(num_ranks, kMostRanks);
  std::map<int, int> rows;
  for (int row = 0; row < shown; ++row) rows[row * num_ranks / shown] = row;
  return rows;
}

// Events of one row that are not transfers, joined where they are too narrow to see.
std::string row_svg(const std::vector<const TimelineEvent*>& events, double y,
                    double pixels_per_s) {
  std::string svg;
  double start = 0, end = 0;
  int joined = 0;
  const TimelineEvent* first = nullptr;
  const auto flush = [&] {
    if (first == nullptr) return;
    const std::string title =
        joined > 1 ? concat(joined, " events from ", first->name)
                   : concat(first->name, ": ", format_seconds(first->end_s - first->start_s));
    svg += rectangle(kLabelWidth + start, y, std::max(end - start, kNarrowest), kBarHeight,
                     to_string(event_kind(first->name)), title);
  };
  for (const TimelineEvent* event : events) {
    const double x = event->start_s * pixels_per_s, x_end = event->end_s * pixels_per_s;
    const bool narrow = x_end - start < kNarrowest;
    if (first != nullptr && narrow) {
      end = std::max(end, x_end);
      ++joined;
      continue;
    }
    flush();
    first = event;
    start = x;
    end = x_end;
    joined = 1;
  }
  flush();
  return svg;
}

std::string memory_bar(const Plan& plan, double y, double pixels_per_byte) {
  std::string svg;
  double x = kLabelWidth;
  for (int i = 0; i < kNumMemoryCategories; ++i) {
    const int64_t bytes = plan.predicted.memory_bytes[static_cast<size_t>(i)];
    const std::string_view name = to_string(static_cast<MemoryCategory>(i));
    const double width = static_cast<double>(bytes) * pixels_per_byte;
    svg += rectangle(x, y, width, kBarHeight, name, concat(name, ": ", format_bytes(bytes)));
    x += width;
  }
  return svg;
}

}  // namespace

std::string memory_svg(const std::vector<Plan>& plans, int64_t limit_bytes) {
  int64_t most = limit_bytes;
  for (const Plan& plan : plans) most = std::max(most, plan.predicted.peak_bytes);
  const double pixels_per_byte =
      (kWidth - kLabelWidth - 80) / static_cast<double>(std::max<int64_t>(most, 1));
  const double height = kRowHeight * static_cast<double>(plans.size()) + 20;
  std::string svg = open_svg(height, "memory by category");
  for (size_t i = 0; i < plans.size(); ++i) {
    const double y = kRowHeight * static_cast<double>(i);
    const int64_t peak = plans[i].predicted.peak_bytes;
    svg += label(0, y + 12, concat("plan ", i + 1)) + memory_bar(plans[i], y, pixels_per_byte);
    svg += label(kLabelWidth + static_cast<double>(peak) * pixels_per_byte + 6, y + 12,
                 format_bytes(peak));
  }
  if (limit_bytes > 0) {
    const double x = kLabelWidth + static_cast<double>(limit_bytes) * pixels_per_byte;
    svg += line(x, 0, x, height - 18, "limit");
    svg += label(x, height - 4, concat("usable ", format_bytes(limit_bytes)), "end");
  }
  return svg + "</svg>\n";
}

std::string share_class(size_t index) {
  constexpr size_t kNumColours = 10;  // of the style sheet
  return concat("share_", index % kNumColours);
}

std::string shares_svg(const std::vector<std::pair<std::string, double>>& name_and_value) {
  constexpr double kLetterWidth = 6;  // pixels, about
  double total = 0;
  for (const auto& [name, value] : name_and_value) total += value;
  if (!(total > 0)) return "";
  std::string svg = open_svg(kRowHeight + 16, "shares");
  double x = 0;
  for (size_t i = 0; i < name_and_value.size(); ++i) {
    const auto& [name, value] = name_and_value[i];
    const double width = value / total * kWidth;
    svg += rectangle(x, 0, width, kBarHeight, share_class(i),
                     concat(name, ": ", format_percent(value / total)));
    if (width >= kLetterWidth * static_cast<double>(name.size()))
      svg += label(x, kRowHeight + 10, name);
    x += width;
  }
  return svg + "</svg>\n";
}

std::string timeline_svg(const Timeline& timeline, double span_s) {
  const std::map<int, int> rows = rows_of(timeline);
  const double pixels_per_s = span_s > 0 ? (kWidth - kLabelWidth) / span_s : 0;
  std::map<int, std::vector<const TimelineEvent*>> events;
  for (const TimelineEvent& event : timeline.events) {
    const bool shown = rows.contains(event.rank);
    const EventKind kind = event_kind(event.name);
    if (shown && kind != EventKind::transfer && kind != EventKind::collective)
      events[event.rank].push_back(&event);
  }
  const double height = kRowHeight * static_cast<double>(rows.size()) + 18;
  std::string svg = open_svg(height, "timeline of a step");
  for (auto& [rank, row_events] : events) {
    std::stable_sort(row_events.begin(), row_events.end(),
                     [](const auto* a, const auto* b) { return a->start_s < b->start_s; });
    const double y = kRowHeight * rows.at(rank);
    svg += label(0, y + 12, concat("rank ", rank)) + row_svg(row_events, y, pixels_per_s);
  }
  svg += label(kLabelWidth, height - 4, "0") +
         label(kWidth, height - 4, format_seconds(span_s), "end");
  return svg + "</svg>\n";
}

std::string line_chart_svg(const std::vector<ChartPoint>& points, const std::string& x_label,
                           const std::string& y_label) {
  constexpr double kHeight = 240, kBottom = 210, kTop = 14;
  std::vector<ChartPoint> finite;
  for (const ChartPoint& p : points) {
    if (std::isfinite(p.y)) finite.push_back(p);
  }
  std::string svg = open_svg(kHeight, y_label);
  if (finite.empty()) return svg + label(kLabelWidth, kTop, "no finite value") + "</svg>\n";
  const auto by_y = [](const ChartPoint& a, const ChartPoint& b) { return a.y < b.y; };
  const auto [low, high] = std::minmax_element(finite.begin(), finite.end(), by_y);
  const double x0 = finite.front().x, x1 = std::max(finite.back().x, x0 + 1e-12);
  const double y0 = low->y, y1 = std::max(high->y, y0 + 1e-12);
  svg += line(kLabelWidth, kBottom, kWidth, kBottom, "axis");
  svg += line(kLabelWidth, kTop, kLabelWidth, kBottom, "axis");
  svg += "<polyline class=\"curve\" points=\"";
  const size_t stride = (finite.size() + kMostPoints - 1) / kMostPoints;
  for (size_t i = 0; i < finite.size(); i += stride) {
    // The last point is drawn whatever the stride is.
    const ChartPoint& p = i + stride >= finite.size() ? finite.back() : finite[i];
    const double x = kLabelWidth + (p.x - x0) / (x1 - x0) * (kWidth - kLabelWidth);
    const double y = kBottom - (p.y - y0) / (y1 - y0) * (kBottom - kTop);
    svg += concat(number(x), ",", number(y), " ");
  }
  svg += "\"/>\n" + label(kLabelWidth - 6, kTop + 4, format_fixed(high->y, 3), "end") +
         label(kLabelWidth - 6, kBottom, format_fixed(low->y, 3), "end");
  svg += label(kLabelWidth, kHeight - 12, format_fixed(x0, 0));
  svg += label(kWidth, kHeight - 12, concat(x_label, " ", format_fixed(finite.back().x, 0)), "end");
  return svg + "</svg>\n";
}

}  // namespace argosy
