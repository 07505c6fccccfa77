// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/run_report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>

#include "planner/report/html.h"
#include "planner/report/svg.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

std::vector<RunStep> steps_of_layout(const RunReport& report) {
  std::vector<RunStep> steps;
  std::copy_if(report.steps.begin(), report.steps.end(), std::back_inserter(steps),
               [&](const RunStep& step) { return step.step >= report.first_step; });
  return steps;
}

// Of the steps of which it is known, after the first, which pays for first touches and caches.
std::optional<double> median(const std::vector<RunStep>& steps, double RunStep::*number) {
  std::vector<double> values;
  values.reserve(steps.size());
  for (size_t i = steps.size() > 1 ? 1 : 0; i < steps.size(); ++i) {
    if (std::isfinite(steps[i].*number)) values.push_back(steps[i].*number);
  }
  if (values.empty()) return std::nullopt;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string median_text(const std::vector<RunStep>& steps, double RunStep::*number,
                        std::string (*format)(double)) {
  const std::optional<double> value = median(steps, number);
  return value ? format(*value) : "-";
}

// A run that was resumed under another layout; empty: all steps ran under this one.
std::string note_of_layouts(const RunReport& report) {
  if (report.steps.empty() || report.steps.front().step >= report.first_step) return "";
  const int64_t first = report.steps.front().step, last = report.steps.back().step;
  if (report.first_step > last) {
    return concat("No step ran under this layout yet: steps ", first, " to ", last,
                  " ran under another one. Curves are of all steps.");
  }
  return concat("Figures are of steps ", report.first_step, " to ", last, ": steps ", first, " to ",
                report.first_step - 1, " ran under another layout. Curves are of all steps.");
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
  const std::vector<RunStep> steps = steps_of_layout(report);
  TextTable table;
  table.header = {"", "planned", "measured (median)"};
  table.align = {Align::left, Align::right, Align::right};
  table.rows = {
      {"step", or_dash(format_seconds(p.step_s)),
       median_text(steps, &RunStep::step_s, format_seconds)},
      {"MFU", or_dash(format_percent(p.mfu)), median_text(steps, &RunStep::mfu, format_percent)},
      {"tokens/s", or_dash(format_count(p.tokens_per_s)),
       median_text(steps, &RunStep::tokens_per_s, format_count)},
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

std::string layout_text(const Plan& plan) {
  const std::string virtual_stages =
      plan.virtual_stages > 1 ? concat(" x", plan.virtual_stages) : "";
  return concat(to_string(plan.precision), " | ", to_string(plan.mesh), " | ZeRO ", plan.zero_stage,
                ", micro-batch ", plan.micro_batch, ", ", to_string(plan.schedule), virtual_stages,
                ", recompute ", recompute_word(plan), " | ", plan.global_batch, " sequences of ",
                plan.seq_len);
}

std::string run_report(const RunReport& report) {
  const Plan& plan = report.plan;
  std::string body = concat("<p>", escape_html(plan.model.name), ", ", to_string(plan.task), ", ",
                            escape_html(layout_text(plan)), "</p>\n");
  if (!report.steps.empty()) {
    const RunStep &first = report.steps.front(), &last = report.steps.back();
    body += html_figures(
        {{format_grouped(last.step), "steps"},
         {format_fixed(first.loss, 3), "first loss"},
         {format_fixed(last.loss, 3), "last loss"},
         {median_text(steps_of_layout(report), &RunStep::mfu, format_percent), "MFU"}});
  }
  const std::string layouts = note_of_layouts(report);
  if (!layouts.empty()) body += concat("<p>", layouts, "</p>\n");
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
