// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Seconds of what ends a step: gradients reduced, weights updated and gathered.
#pragma once

#include <vector>

#include "planner/cost/job.h"
#include "planner/cost/state_memory.h"
#include "planner/cost/traffic.h"
#include "planner/spec/plan.h"

namespace argosy {

// Of a stage; what passes of its layers hide of it is not taken off.
struct StepEnd {
  // Collectives over data-parallel axes, over others, and gathers: seconds of all, and of one.
  double reduce_s = 0, sum_s = 0, gather_s = 0;
  double one_reduce_s = 0, one_gather_s = 0;
  // wire_seconds() of these, where the stack hides more than its facts say.
  double wire_reduce_s = 0, wire_gather_s = 0;
  double update_s = 0;   // on the device
  double offload_s = 0;  // on its host, with the way there and back
};
StepEnd step_end(const Job& job, const Candidate& candidate,
                 const std::vector<StageBucket>& buckets, const Placements& placements);

// Adds what no pass hides to reduce_s and optimizer_s of a stage whose passes are timed. Gathering
// the updated parameters belongs to the optimizer, all other collectives to the reduction of
// gradients. What a stack hides runs beside the last backward pass, or beside the first forward
// pass of the next step. Returns the seconds of collectives among them.
double add_step_end(const Job& job, const Candidate& candidate, const StepEnd& end,
                    StageDurations& durations);

}  // namespace argosy
