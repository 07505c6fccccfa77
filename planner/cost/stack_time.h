// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Seconds of a step as a framework of others runs it: the ops and collectives of planner/spec,
// timed by a stack profile, and the pipeline's schedule simulated.
#pragma once

#include <array>
#include <vector>

#include "planner/cost/job.h"
#include "planner/cost/layer_costs.h"
#include "planner/cost/stack.h"
#include "planner/cost/stage_time.h"
#include "planner/spec/work.h"

namespace argosy {

enum class ProductFormat { bf16, fp8, mxfp8, nvfp4 };  // of the blocks' Linears; the head's: bf16

// Frozen weights of a LoRA run.
struct BaseWeights {
  bool in_4_bits = false;      // Linears of the blocks, with a scale for each 64 (QLoRA)
  bool trains_tables = false;  // embedding and head are trained as well
};

// A run at its own configuration. All but the seconds follows from it: it is worked out once.
struct StackRun {
  Job job;
  Candidate candidate;
  ProductFormat format = ProductFormat::bf16;
  BaseWeights base;
  int64_t num_microbatches = 1;
  LayerWorks works;                 // of one micro-batch
  std::vector<StageLayers> stages;  // [pp * virtual_stages]
  ElementTable elements;
  Placements placements;
  Schedule short_schedule, long_schedule;  // of few and some more micro-batches
  int64_t short_microbatches = 0, long_microbatches = 0;
};

// Fills what follows from job, candidate and format. `job.cluster` has the row's devices and links.
StackRun make_stack_run(const Job& job, const Candidate& candidate, ProductFormat format,
                        BaseWeights base = {});

// Seconds of one optimizer step.
double step_seconds(const StackRun& run, const StackProfile& stack, const StackNumbers& numbers);

}  // namespace argosy
