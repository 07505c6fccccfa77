// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How long a step takes at least.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/cost/stage_time.h"

namespace argosy {

// No schedule ends before this. With one whole stage a rank the first micro-batch must reach a
// stage, the stage must work through all of them, and the last gradient must come back to stage 0.
// 1F1B in addition keeps no more than num_stages micro-batches between both ends of the pipeline.
// With several stages on a rank, or a split backward pass, each rank waits for the first
// micro-batch, does all of its work, and where backward passes are whole its last gradient must
// come back.
double step_bound_s(const std::vector<StageTime>& times, ScheduleKind schedule,
                    int64_t num_microbatches, int64_t virtual_stages = 1);

}  // namespace argosy
