// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A run at its own configuration, costed again and again with other numbers of its stack: what does
// not depend on them is worked out once, and long schedules are cut short.
#pragma once

#include <limits>
#include <vector>

#include "planner/cost/layer_costs.h"
#include "planner/cost/stage_time.h"
#include "planner/spec/schedule_program.h"

namespace argosy {

struct StackRun {
  Job job;  // with its stack
  Candidate candidate;
  int64_t num_microbatches = 1;
  LayerWorks works;                 // of one micro-batch
  std::vector<StageLayers> stages;  // [pp * virtual_stages]
  ElementTable elements;
  Placements placements;
  Schedule short_schedule;                      // of few micro-batches
  ScheduleProgram short_program, long_program;  // of these, and of some more
  int64_t short_microbatches = 0, long_microbatches = 0;
};

// Fills what follows from job and candidate. `job.cluster` has the row's devices and links.
StackRun make_stack_run(const Job& job, const Candidate& candidate);

LayerCosts layer_costs_of(const StackRun& run);

// Seconds of one optimizer step. Of a step that is known to take `limit_s` or more without playing
// its schedule: a time between that and its own.
double step_seconds(const StackRun& run, double limit_s = std::numeric_limits<double>::infinity());

}  // namespace argosy
