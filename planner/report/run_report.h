// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A training run as one HTML page: what was promised, what happened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "planner/spec/plan.h"
#include "planner/spec/timeline.h"

namespace argosy {

// What the page shows of one step; ratios are fractions.
struct RunStep {
  int64_t step = 0;
  double loss = 0, grad_norm = 0;
  double mfu = 0;  // not finite: not known
  double step_s = 0, tokens_per_s = 0;
  std::optional<double> eval_loss;
};

struct RunReport {
  Plan plan;                   // with its prediction, if it has one
  std::vector<RunStep> steps;  // ascending
  // From here on steps ran under the layout of `plan`: figures are of these, curves of all.
  int64_t first_step = 1;
  Timeline predicted;  // of one step; empty: not drawn
  Timeline measured;
  // Where the time of one of these steps went: names and mean seconds, which sum to the mean step.
  // Empty: not known.
  std::vector<std::pair<std::string, double>> parts;
  int64_t peak_bytes = 0;          // measured, of the fullest rank
  std::vector<std::string> notes;  // plain text, a paragraph each
};

// What the seconds of a step depend on, as the page is headed: "fp32 | tp=2 pp=1 ... | ZeRO 1,
// micro-batch 2, 1f1b, recompute none | 8 sequences of 16".
std::string layout_text(const Plan& plan);

std::string run_report(const RunReport& report);

}  // namespace argosy
