// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/plan_report.h"

#include <algorithm>

#include "planner/report/plan_text.h"
#include "planner/report/scatter.h"
#include "planner/report/svg.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

std::string headline(const Plan& plan) {
  const Prediction& p = plan.predicted;
  std::vector<std::pair<std::string, std::string>> figures = {
      {format_seconds(p.step_s), "a step"},
      {format_percent(p.mfu), "MFU"},
      {format_count(p.tokens_per_s), "tokens/s"},
      {format_percent(p.bubble_fraction), "bubble"},
      {format_bytes(p.peak_bytes), "memory of the fullest rank"}};
  if (p.days > 0) {
    figures.push_back({format_day_number(p.days), "days"});
    if (p.cost_usd > 0) figures.push_back({format_amount(p.cost_usd), "USD"});
    if (p.carbon_kg > 0) figures.push_back({format_amount(p.carbon_kg / 1000), "t CO2e"});
  }
  return html_figures(figures);
}

TextTable parts_table(const Plan& plan, const ReportPlan& detail) {
  TextTable table;
  table.header = {"part of the step", "seconds", "share"};
  table.align = {Align::left, Align::right, Align::right};
  for (const auto& [name, seconds] : detail.parts) {
    table.rows.push_back(
        {name, format_seconds(seconds), format_percent(seconds / plan.predicted.step_s)});
  }
  return table;
}

TextTable memory_table(const Plan& plan, const ClusterSpec& cluster) {
  TextTable table;
  table.header = {"category", "bytes", "share"};
  table.align = {Align::left, Align::right, Align::right};
  const Prediction& p = plan.predicted;
  for (int i = 0; i < kNumMemoryCategories; ++i) {
    const int64_t bytes = p.memory_bytes[static_cast<size_t>(i)];
    table.rows.push_back(
        {std::string(to_string(static_cast<MemoryCategory>(i))), format_bytes(bytes),
         format_percent(static_cast<double>(bytes) / static_cast<double>(p.peak_bytes))});
  }
  const Accelerator& device = cluster.accelerator;
  table.rows.push_back({"free", format_bytes(unreserved_bytes(device) - p.peak_bytes), "-"});
  table.rows.push_back({"reserved", format_bytes(device.reserved_bytes), "-"});
  if (has_memory_band(cluster)) {
    table.rows.push_back({"fits with", probability_text(p.fits_probability), "-"});
  }
  return table;
}

std::string plan_panel(const Plan& plan, const ReportPlan& detail, const ClusterSpec& cluster) {
  std::string html = headline(plan);
  std::vector<std::pair<std::string, std::string>> colours;
  for (size_t i = 0; i < detail.parts.size(); ++i) {
    colours.emplace_back(share_class(i), detail.parts[i].first);
  }
  html += "<h3>Where the time goes</h3>\n" + shares_svg(detail.parts) + html_legend(colours);
  html += html_table(parts_table(plan, detail));
  html += "<h3>Where the memory goes</h3>\n" + html_table(memory_table(plan, cluster));
  html += "<h3>The step, simulated</h3>\n" + timeline_svg(detail.step, detail.step.step_s);
  return html + html_legend({"forward", "backward", "wait", "reduce", "optimizer"});
}

std::string plan_panels(const PlanReport& report) {
  std::vector<std::pair<std::string, std::string>> panels;
  for (size_t i = 0; i < std::min(report.plans.size(), report.details.size()); ++i) {
    panels.emplace_back(concat("plan ", i + 1),
                        plan_panel(report.plans[i], report.details[i], report.cluster));
  }
  return html_panels("plan", panels);
}

// A quantity of a whole run.
struct Quantity {
  const char* name;
  double (*value)(const Prediction&);
};
constexpr Quantity kDays = {"days", [](const Prediction& p) { return p.days; }};
constexpr Quantity kUsd = {"USD", [](const Prediction& p) { return p.cost_usd; }};
constexpr Quantity kTonnes = {"t CO2e", [](const Prediction& p) { return p.carbon_kg / 1000; }};

std::string scatter(const std::vector<ReportPoint>& points, const Quantity& x, const Quantity& y) {
  std::vector<ScatterPoint> drawn;
  for (const ReportPoint& point : points) {
    const Prediction& p = point.plan.predicted;
    const std::string devices = format_grouped(point.plan.mesh.world_size());
    std::string detail = concat(devices, " devices, ", to_string(point.plan.mesh), ": ",
                                format_day_number(p.days), " days");
    if (p.cost_usd > 0) detail += concat(", ", format_four(p.cost_usd), " USD");
    if (p.carbon_kg > 0) detail += concat(", ", format_four(p.carbon_kg / 1000), " t CO2e");
    drawn.push_back({x.value(p), y.value(p), devices, detail, point.is_on_front});
  }
  return scatter_svg(drawn, x.name, y.name);
}

// The pairs that the cluster says something of; none: nothing is drawn.
std::string front(const std::vector<ReportPoint>& points) {
  const auto knows = [&points](const Quantity& quantity) {
    return std::any_of(points.begin(), points.end(), [&](const ReportPoint& point) {
      return quantity.value(point.plan.predicted) > 0;
    });
  };
  std::vector<std::pair<std::string, std::string>> panels;
  const auto add = [&](const char* name, const Quantity& x, const Quantity& y) {
    if (knows(x) && knows(y)) panels.emplace_back(name, scatter(points, x, y));
  };
  add("time and money", kDays, kUsd);
  add("time and carbon", kDays, kTonnes);
  add("money and carbon", kUsd, kTonnes);
  if (panels.empty()) return "";
  return "<h2>Time, money and carbon on parts of the cluster</h2>\n" +
         html_panels("front", panels) +
         "<p>Points are named by their devices; grey ones are beaten in all three.</p>\n";
}

std::string rejections_table(const SearchSummary& summary) {
  if (summary.rejected.empty()) return "";
  TextTable table;
  table.header = {"count", "reason", "nearest"};
  table.align = {Align::right, Align::left, Align::left};
  for (const Rejection& r : summary.rejected) {
    table.rows.push_back({format_grouped(r.count), r.reason, r.nearest});
  }
  return html_table(table);
}

std::string plans_section(const PlanReport& report) {
  if (report.plans.empty()) return "<p>No plan fits.</p>\n";
  const Plan& best = report.plans.front();
  const Accelerator& a = report.cluster.accelerator;
  const int64_t limit_bytes = a.memory_bytes - a.reserved_bytes;
  std::string html =
      "<p class=\"heading\">" + escape_html(plan_heading(best, report.cluster)) + "</p>\n";
  html += "<h2>Plans, best first</h2>\n" + html_table(plan_rows(report.plans));
  html += "<p>" + escape_html(totals_text(best)) + "</p>\n" + plan_panels(report);
  html += "<h2>Memory of the fullest rank</h2>\n" + memory_svg(report.plans, limit_bytes);
  return html + html_legend({"parameters", "gradients", "optimizer", "activations", "buffers",
                             "workspace"});
}

}  // namespace

std::string plan_report(const PlanReport& report) {
  std::string body = plans_section(report);
  if (!report.points.empty()) body += front(report.points);
  for (const auto& [title, table] : report.tables) body += html_details(title, html_table(table));
  body += "<h2>Search</h2>\n<p>" + escape_html(search_text(report.summary)) + "</p>\n";
  return html_page("Argosy plan", body + rejections_table(report.summary));
}

}  // namespace argosy
