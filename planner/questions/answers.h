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
#include "planner/questions/price.h"
#include "planner/questions/rivals.h"
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
  int num_threads = 1;
};

struct Answers {
  std::vector<StepPart> step;           // explain
  std::vector<ChangeEffect> changes;    // explain
  std::vector<Rival> rivals;            // explain
  std::optional<SearchResult> what_if;  // with the changed machines
  std::vector<Sensitivity> sensitivity;
  std::vector<double> regrets;  // robust: of each plan
  std::vector<ParetoPoint> pareto;
  std::optional<Plan> in_time;  // deadline; none: the whole cluster is too slow
};

// `result` is what search() said of job and fixed; with `robust` its plans are put in the order of
// their worst regret. Throws ConfigError for pareto and deadline without job.tokens.
Answers answer(const Questions& questions, const Job& job, const Fixed& fixed,
               SearchResult& result);

std::string answers_text(const Questions& questions, const Job& job, const SearchResult& result,
                         const Answers& answers);

// All of it for --report.
PlanReport report_of(const Job& job, const SearchResult& result, const Answers& answers);

// Sections of --json: key and JSON text.
std::vector<std::pair<std::string, std::string>> answers_json(const Questions& questions,
                                                              const SearchResult& result,
                                                              const Answers& answers);

}  // namespace argosy
