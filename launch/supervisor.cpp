// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/supervisor.h"

#include "launch/job_process.h"
#include "launch/restart.h"
#include "planner/spec/check.h"

namespace argosy {

int supervise(const SupervisedJob& job) {
  const JobSignals signals;
  const Orphans orphans;
  RestartBudget budget{.max_restarts = job.max_restarts,
                       .newest_step = facts_of_run(job.run_dir).newest_step};
  for (;;) {
    const RunFacts before = facts_of_run(job.run_dir);
    const JobEnd job_end = run_job(budget.has_begun ? job.again : job.first, signals);
    orphans.wait_until_gone();
    const AttemptEnd end = end_of_attempt(job_end.exit_code, before, facts_of_run(job.run_dir));
    if (job_end.was_stopped) return end.exit_code;
    const RestartDecision decision = after_attempt(end, &budget);
    if (!decision.line.empty()) job.say(decision.line);
    if (!decision.starts_again) return end.exit_code;
    if (signals.next_within(decision.pause_s)) {
      job.say(concat("stopped before attempt ", budget.attempt));
      return end.exit_code;
    }
  }
}

}  // namespace argosy
