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

void require_trainable_model(const ModelSpec& model) {
  const auto refuse = [&](bool condition, const char* what, const char* valid) {
    refuse_if(condition, concat("model_type ", model.model_type, ": ", what), valid);
  };
  refuse(model.num_mtp_modules > 0, "multi-token prediction (num_nextn_predict_layers)",
         "num_nextn_predict_layers 0");
}

}  // namespace

void require_trainable(const Plan& plan) {
  require_trainable_model(plan.model);
  refuse_if(plan.offload != Offload::none, concat("offload=", to_string(plan.offload)),
            "--fix offload=none");
}

}  // namespace argosy
