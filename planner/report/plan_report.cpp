// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/report/plan_report.h"

#include "planner/report/html.h"
#include "planner/report/plan_text.h"
#include "planner/report/svg.h"
#include "planner/report/units.h"

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
  if (p.days > 0) figures.push_back({format_fixed(p.days, 1), "days"});
  return html_figures(figures);
}

std::string rejections_table(const SearchSummary& summary) {
  TextTable table;
  table.header = {"count", "reason", "nearest"};
  table.align = {Align::right, Align::left, Align::left};
  for (const Rejection& r : summary.rejected) {
    table.rows.push_back({format_grouped(r.count), r.reason, r.nearest});
  }
  return html_table(table);
}

}  // namespace

std::string plan_report(const std::vector<Plan>& plans, const ClusterSpec& cluster,
                        const SearchSummary& summary, const Timeline& predicted) {
  std::string body;
  if (plans.empty()) {
    body += "<p>No plan fits.</p>\n";
  } else {
    const Plan& best = plans.front();
    body += "<p>" + escape_html(plan_heading(best, cluster)) + "</p>\n" + headline(best);
    body += "<h2>Plans, best first</h2>\n" + html_table(plan_rows(plans));
    body += "<p>" + escape_html(totals_text(best)) + "</p>\n";
    body += "<h2>Memory of the fullest rank</h2>\n";
    body +=
        memory_svg(plans, cluster.accelerator.memory_bytes - cluster.accelerator.reserved_bytes);
    body += html_legend(
        {"parameters", "gradients", "optimizer", "activations", "buffers", "workspace"});
    body += "<h2>One step of the best plan</h2>\n" + timeline_svg(predicted, predicted.step_s);
    body += html_legend({"forward", "backward", "wait", "reduce", "optimizer"});
  }
  body += "<h2>Search</h2>\n<p>" + escape_html(search_text(summary)) + "</p>\n";
  return html_page("Argosy plan", body + rejections_table(summary));
}

}  // namespace argosy
