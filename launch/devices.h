// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Whether a job computes on GPUs, and whether its plan was made for them.
#pragma once

#include <string>
#include <vector>

#include "planner/spec/plan.h"

namespace argosy {

// By the trainer's arguments, or by the --config file among them.
bool asks_for_gpus(const std::vector<std::string>& trainer_arguments);

// What to say of a plan for GPUs whose trainer is not told of any: it would use CPU cores, and
// nothing would fail. Empty where the plan is for cores or does not say for what, and where the
// user has chosen.
std::string doubt_of_devices(const Plan& plan, const std::string& path,
                             const std::vector<std::string>& trainer_arguments);

}  // namespace argosy
