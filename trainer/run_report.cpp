// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run_report.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "planner/report/run_report.h"
#include "planner/report/trace.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/schedule.h"
#include "trainer/run/metrics.h"

namespace argosy {

std::string timeline_to_text(const Timeline& timeline) {
  std::ostringstream text;
  text.precision(17);
  for (const TimelineEvent& event : timeline.events) {
    text << event.rank << '\t' << event.start_s << '\t' << event.end_s << '\t' << event.name
         << '\n';
  }
  return text.str();
}

void append_timeline(const std::string& text, Timeline* timeline) {
  std::istringstream lines(text);
  TimelineEvent event;
  while (lines >> event.rank >> event.start_s >> event.end_s) {
    lines.ignore(1);  // the tab
    std::getline(lines, event.name);
    timeline->events.push_back(event);
  }
}

namespace {

// The step that the plan promises; empty without a prediction (a plan run at another precision).
Timeline predicted_step(const Plan& plan) {
  if (plan.predicted.stages.empty()) return {};
  return simulate(build_schedule(plan), plan.predicted.stages);
}

RunStep run_step_of(const StepMetrics& metrics) {
  return {.step = metrics.step,
          .loss = metrics.loss,
          .grad_norm = metrics.grad_norm,
          .mfu = metrics.mfu,
          .step_s = metrics.step_s,
          .tokens_per_s = metrics.tokens_per_s,
          .eval_loss = metrics.eval_loss};
}

std::string note_of_doubt(const StepRange& steps) {
  return concat("The MFU of steps ", steps.first, " to ", steps.last,
                " is not known: one of them did more than the peak allows that was measured at ",
                "their start, while the machine was busy.");
}

}  // namespace

void write_run_report(const RunDir& run_dir, const Plan& plan, const Timeline& measured) {
  RunReport report;
  MeanParts mean;
  report.plan = plan;
  report.predicted = predicted_step(plan);
  report.measured = measured;
  std::vector<StepMetrics> steps = read_metrics(run_dir.metrics());
  for (const StepRange& range : forget_doubted_mfu(&steps))
    report.notes.push_back(note_of_doubt(range));
  report.steps.reserve(steps.size());
  report.first_step = first_step_of_layout(steps, layout_text(plan));
  for (const StepMetrics& metrics : steps) {
    report.steps.push_back(run_step_of(metrics));
    if (metrics.step < report.first_step) continue;
    report.peak_bytes = std::max(report.peak_bytes, metrics.peak_bytes);
    if (metrics.parts) mean.add(*metrics.parts);
  }
  if (mean.num_steps() > 0) report.parts = named_parts(mean.value());
  write_text_file(run_dir.report(), run_report(report));
  write_text_file(run_dir.trace(),
                  trace_json({{"predicted", report.predicted}, {"measured", measured}}));
}

}  // namespace argosy
