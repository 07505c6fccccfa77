// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What argosy-plan can plan and this trainer cannot run yet.
#pragma once

#include "planner/spec/plan.h"

namespace argosy {

// Throws a ConfigError that names the first thing of a valid plan that the trainer lacks, and what
// would be valid. A plan that passes is executed to the letter.
void require_trainable(const Plan& plan);

}  // namespace argosy
