// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where each millisecond of a step goes.
#pragma once

#include <string>
#include <vector>

#include "planner/cost/job.h"

namespace argosy {

struct StepPart {
  std::string name;
  double seconds = 0;  // of the average rank
};

// Parts that add up to the predicted step: products, attention, memory-bound ops, the update;
// collectives of the layers by axis, those of gradients and parameters; waiting in the pipeline.
std::vector<StepPart> step_parts(const Job& job, const Plan& plan);

}  // namespace argosy
