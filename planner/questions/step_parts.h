// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where each millisecond of a step goes.
#pragma once

#include <string>
#include <vector>

#include "planner/cost/job.h"

namespace argosy {

inline constexpr const char* kHostPart = "waiting for the host";  // StepPart::name

struct StepPart {
  std::string name;
  double seconds = 0;  // of the average rank
};

// Parts that add up to the predicted step: products, attention, memory-bound ops, the update;
// collectives of the layers by axis, messages between stages, collectives of gradients and
// parameters; waiting in the pipeline. Of traffic, what nothing hides and what compute loses to it.
std::vector<StepPart> step_parts(const Job& job, const Plan& plan);

}  // namespace argosy
