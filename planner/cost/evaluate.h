// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One candidate, costed: memory first, because it is cheap and most candidates fail there; then
// seconds of its stages; then the schedule, simulated.
#pragma once

#include <string>
#include <vector>

#include "planner/cost/job.h"
#include "planner/cost/layer_costs.h"
#include "planner/cost/memory.h"
#include "planner/cost/stage_time.h"
#include "planner/spec/timeline.h"

namespace argosy {

// An expected "no" is a value.
struct Verdict {
  bool feasible = false;
  Plan plan;                  // with its prediction, if feasible
  std::string reason;         // why not
  int64_t missing_bytes = 0;  // of memory on the fullest stage
};

std::vector<StageDurations> durations_of(const std::vector<StageTime>& times);

// What is missing of a device's memory, or of its share of the host's; at most 0: it fits.
int64_t missing_bytes(const Job& job, const Candidate& candidate, const StageMemory& memory);

// Names the stage, what it needs and what the device has.
std::string describe_shortage(const StageMemory& memory, const Candidate& candidate,
                              int64_t usable_bytes);

// The candidate's plan with its prediction, its schedule simulated. `times` is stage_times(),
// `memory` fullest_stage() of the same candidate.
Plan predict(const Job& job, const Candidate& candidate, const StageMemory& memory,
             const std::vector<StageTime>& times);

// All of it for one candidate. Throws ConfigError if the candidate does not divide (validate()).
Verdict evaluate(const Job& job, const Candidate& candidate, LayerCostCache& cache);

// The predicted step of a plan that carries a prediction.
Timeline predicted_timeline(const Plan& plan);

}  // namespace argosy
