// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// CUDA graphs of the trainer's steps: which plans they can be made of.
#pragma once

#include <string>

#include "planner/spec/plan.h"

namespace argosy {

// Why the trainer cannot capture steps of this plan on a GPU, for a user; empty: it can, if nothing
// else is in the way (trainer/captured_step.h).
std::string obstacle_to_graphs(const Plan& plan);

}  // namespace argosy
