// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/run_report.h"

#include <algorithm>
#include <functional>

#include "planner/report/html.h"
#include "planner/report/svg.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

// Of the steps after the first, which pays for first touches and caches.
double median(const std::vector<RunStep>& steps, double RunStep::*number) {
  std::vector<double> values;
  for (size_t i = steps.size() > 1 ? 1 : 0; i < steps.size(); ++i) {
    values.push_back(steps[i].*number);
  }
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string chart(const std::vector<RunStep>& steps, const std::string& name,
                  const std::function<std::optional<double>(const RunStep&)>& value) {
  std::vector<ChartPoint> points;
  for (const RunStep& step : steps) {
    if (const auto y = value(step)) points.push_back({static_cast<double>(step.step), *y});
  }
  if (points.empty()) return "";
  return concat("<h2>", name, "</h2>\n", line_chart_svg(points, "step", name));
}

std::string comparison(const RunReport& report) {
  const Prediction& p = report.plan.predicted;
  const bool planned = !p.stages.empty();
  const auto or_dash = [&](const std::string& text) { return planned ? text : std::string("-"); };
  TextTable table;
  table.header = {"", "planned", "measured (median)"};
  table.align = {Align::left, Align::right, Align::right};
  table.rows = {
      {"step", or_dash(format_seconds(p.step_s)),
       format_seconds(median(report.steps, &RunStep::step_s))},
      {"MFU", or_dash(format_percent(p.mfu)), format_percent(median(report.steps, &RunStep::mfu))},
      {"tokens/s", or_dash(format_count(p.tokens_per_s)),
       format_count(median(report.steps, &RunStep::tokens_per_s))},
      {"memory of the fullest rank", or_dash(format_bytes(p.peak_bytes)),
       report.peak_bytes > 0 ? format_bytes(report.peak_bytes) : "-"}};
  return html_table(table);
}

// The mean step as one bar and as a table.
std::string parts_of_a_step(const RunReport& report) {
  if (report.parts.empty()) return "";
  double step_s = 0;
  for (const auto& [name, seconds] : report.parts) step_s += seconds;
  TextTable table;
  table.header = {"", "seconds", "share"};
  table.align = {Align::left, Align::right, Align::right};
  const auto add_row = [&](const std::string& name, double seconds) {
    table.rows.push_back({escape_html(name), format_seconds(seconds),
                          format_percent(step_s > 0 ? seconds / step_s : 0)});
  };
  for (const auto& [name, seconds] : report.parts) add_row(name, seconds);
  add_row("step", step_s);
  return concat("<h2>Where the time of a step went</h2>\n", shares_svg(report.parts),
                html_table(table));
}

std::string timelines(const RunReport& report) {
  const double span_s = std::max(report.predicted.step_s, report.measured.step_s);
  std::string html;
  if (!report.predicted.events.empty()) {
    html += "<h2>A step as planned</h2>\n" + timeline_svg(report.predicted, span_s);
  }
  if (!report.measured.events.empty()) {
    html += "<h2>A step as measured</h2>\n" + timeline_svg(report.measured, span_s);
  }
  if (html.empty()) return html;
  return html + html_legend({"forward", "backward", "wait", "reduce", "optimizer", "other"});
}

}  // namespace

std::string run_report(const RunReport& report) {
  const Plan& plan = report.plan;
  std::string body =
      concat("<p>", escape_html(plan.model.name), ", ", to_string(plan.task), ", ",
             to_string(plan.precision), " | ", escape_html(to_string(plan.mesh)), " | ZeRO ",
             plan.zero_stage, ", micro-batch ", plan.micro_batch, ", ", to_string(plan.schedule),
             " | ", plan.global_batch, " sequences of ", plan.seq_len, "</p>\n");
  if (!report.steps.empty()) {
    const RunStep &first = report.steps.front(), &last = report.steps.back();
    body += html_figures({{format_grouped(last.step), "steps"},
                          {format_fixed(first.loss, 3), "first loss"},
                          {format_fixed(last.loss, 3), "last loss"},
                          {format_percent(median(report.steps, &RunStep::mfu)), "MFU"}});
  }
  for (const std::string& note : report.notes) body += concat("<p>", escape_html(note), "</p>\n");
  body += "<h2>Planned and measured</h2>\n" + comparison(report) + parts_of_a_step(report);
  using Value = std::optional<double>;
  body += chart(report.steps, "loss", [](const RunStep& s) { return Value(s.loss); });
  body += chart(report.steps, "evaluation loss", [](const RunStep& s) { return s.eval_loss; });
  body += chart(report.steps, "gradient norm", [](const RunStep& s) { return Value(s.grad_norm); });
  body += chart(report.steps, "MFU", [](const RunStep& s) { return Value(s.mfu); });
  return html_page(concat("Argosy run: ", plan.model.name), body + timelines(report));
}

}  // namespace argosy
