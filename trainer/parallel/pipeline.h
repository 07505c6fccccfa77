// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Runs a schedule's list of actions for this rank: the one interpreter for every pipeline schedule,
// training and evaluation alike.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "planner/spec/schedule.h"
#include "trainer/device/work_clock.h"
#include "trainer/layers/context.h"
#include "trainer/layers/stage.h"

namespace argosy {

struct PipelineResult {
  // fp64 (1 + modules for multi-token prediction) on the device: over unmasked tokens of this
  // rank's micro-batches, of the next ones first; 0 but on the last stage.
  Tensor loss_sums;
  std::vector<RouterTotals> routers;  // [stage of this rank]
  std::vector<WorkSpan> events;       // by the clock of the context's device
};

// For tests and benchmarks: called at the start of every compute action, inside its span of time.
// What it does is up to the caller, as long as it ends.
using ComputeHook = std::function<void(const Action&)>;

// stages: those that the schedule places on this pipeline rank, ascending. microbatches:
// [schedule.num_microbatches], in the schedule's numbering. With Keep::discard the schedule must be
// forward only. Gradients are added to the store that the stages were built from.
PipelineResult run_pipeline(const LayerContext& ctx, std::span<Stage> stages,
                            const Schedule& schedule, const std::vector<Microbatch>& microbatches,
                            Keep keep, const ComputeHook& hook = {});

}  // namespace argosy
