// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// --task serve: splits for generating tokens, and what else is asked about them.
#include <iostream>

#include "planner/messages.h"
#include "planner/options.h"
#include "planner/serve/serve_report.h"

namespace argosy {

bool run_serve(const PlanOptions& options) {
  std::vector<std::string> warnings;
  const ServeJob job = make_serve_job(options, warnings);
  for (const std::string& warning : warnings) warn(warning);
  ServeAnswers answers;
  if (!options.what_if.empty()) {
    answers.changes = parse_machine_changes(options.what_if);
    ServeJob changed = job;
    changed.cluster = with_changes(job.cluster, answers.changes);
    answers.what_if = search_serve(changed, options.top);
  }
  const ServeResult result = search_serve(job, options.top);
  if (options.sensitivity && !result.plans.empty()) {
    answers.sensitivity = serve_sensitivities(job, result.plans.front());
  }
  std::cout << (options.json ? serve_json(job, result, answers) : serve_text(job, result, answers));
  return !result.plans.empty();
}

}  // namespace argosy
