// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The questions that may be asked about a search, answered, as text and as JSON.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "planner/cost/search.h"
#include "planner/questions/phases.h"
#include "planner/questions/price.h"
#include "planner/questions/remedies.h"
#include "planner/questions/rivals.h"
#include "planner/questions/sensitivity.h"
#include "planner/questions/sizes.h"
#include "planner/questions/step_parts.h"
#include "planner/questions/what_if.h"
#include "planner/report/plan_report.h"

namespace argosy {

struct Questions {
  bool explain = false, sensitivity = false, pareto = false, robust = false;
  bool report = false;                 // a page: with the front, if the job has tokens
  std::vector<MachineChange> what_if;  // empty: not asked
  double deadline_days = 0;            // 0: not asked
  std::vector<Phase> phases;           // empty: not asked
  std::string corrections;             // in force: corrections_note(); empty: none
  int num_threads = 1;
};

struct Answers {
  std::vector<StepPart> step;           // explain
  std::vector<ChangeEffect> changes;    // explain
  std::vector<Rival> rivals;            // explain
  std::vector<Remedy> remedies;         // explain, where no plan fits: what would help
  std::optional<SearchResult> what_if;  // with the changed machines
  std::vector<Sensitivity> sensitivity;
  std::vector<double> regrets;  // robust: of each plan
  std::vector<ParetoPoint> pareto;
  std::vector<PlannedPhase> phases;
  std::optional<Plan> in_time;  // deadline; none: no part is fast enough
};

// `result` is what search() said of job and fixed; with `robust` its plans are put in the order of
// their worst regret. Throws ConfigError for pareto and deadline without job.tokens.
Answers answer(const Questions& questions, const Job& job, const Fixed& fixed,
               SearchResult& result);

std::string answers_text(const Questions& questions, const Job& job, const SearchResult& result,
                         const Answers& answers);

// The MFU at which the whole cluster would be done in time, of the peak of `precision`, goodput as
// it is; 0: the device has no such peak, or nothing fits.
double needed_mfu(const Job& job, const SearchResult& result, double days, Precision precision);

// All of it for --report.
PlanReport report_of(const Questions& questions, const Job& job, const SearchResult& result,
                     const Answers& answers);

// Sections of --json: key and JSON text.
std::vector<std::pair<std::string, std::string>> answers_json(const Questions& questions,
                                                              const Job& job,
                                                              const SearchResult& result,
                                                              const Answers& answers);

}  // namespace argosy
