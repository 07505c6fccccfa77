// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A step as metrics.jsonl has it: what it computed, what all ranks saw of it, and the rates that
// follow.
#pragma once

#include <cstdint>

#include "comm/communicator.h"
#include "planner/spec/plan.h"
#include "trainer/run/metrics.h"
#include "trainer/trainer.h"

namespace argosy {

// What the step computed, which is the same on all ranks, and what this rank has offloaded.
StepMetrics metrics_of(const Plan& plan, int64_t step, double lr, const StepResult& result);

// Of a rank where a step ends, and of all of them.
struct StepEnd {
  double step_s = 0;  // the slowest rank's
  bool stop_requested = false, is_writing = false;
};

// Collective. What any rank has; the fullest rank's bytes go into `metrics`.
StepEnd gather_end(Communicator& world, const StepEnd& of_rank, const MemoryUse& memory,
                   StepMetrics* metrics);

// What follows from a step's seconds, and from the FLOP/s of all ranks together.
void add_rates(const Plan& plan, double step_s, double peak_flops_per_s, StepMetrics* metrics);

// Collective. Where the step's time went, on the mean of the ranks; what is left of the slowest
// rank's step is `other`.
void gather_parts(Communicator& world, const StepParts& of_rank, StepMetrics* metrics);

}  // namespace argosy
