// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the builders of schedules share. Not for use outside of spec.
#pragma once

#include <vector>

#include "planner/spec/schedule.h"

namespace argosy {

// Ranks that have their stages and nothing to do yet.
Schedule empty_schedule(std::vector<int> rank_of_stage, int num_microbatches);

// [num_ranks * virtual_stages] -> pipeline rank; pipeline_rank_of_stage() of each stage.
std::vector<int> stage_placement(ScheduleKind kind, int num_ranks, int virtual_stages);

}  // namespace argosy
