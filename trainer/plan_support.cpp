// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/plan_support.h"

#include "planner/spec/check.h"

namespace argosy {

namespace {

void refuse_if(bool condition, const std::string& what, const char* valid) {
  if (condition) {
    throw ConfigError(
        concat("--plan: ", what, " can be planned but not trained yet; valid: ", valid));
  }
}

}  // namespace

void require_trainable(const Plan& plan) {
  refuse_if(plan.offload != Offload::none, concat("offload=", to_string(plan.offload)),
            "--fix offload=none");
}

}  // namespace argosy
