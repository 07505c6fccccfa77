// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Bytes of the fullest rank of a run as frameworks of others keep them.
#pragma once

#include <vector>

#include "planner/cost/memory.h"

namespace argosy {

// Allocated at the peak: weights, gradients, optimizer, what is kept for backward, logits
// (workspace), and the profile's constant (buffers). `alive` [pp]: micro-batches alive at once on
// each rank of the pipeline, of chunks of a virtual stage.
StageMemory stack_memory(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, const ElementTable& elements,
                         const LayerCosts& costs, const std::vector<int>& alive);

// The same for the candidate's schedule; `schedules` remembers lists of actions between calls.
StageMemory stack_memory(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, const ElementTable& elements,
                         const LayerCosts& costs, ShortSchedules& schedules);

}  // namespace argosy
