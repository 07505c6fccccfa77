// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Parts of the config reader that have a file of their own. For .cpp files only.
#pragma once

#include "planner/spec/json.h"
#include "planner/spec/model.h"

namespace argosy {

// Both spellings of Transformers: `rope_theta` with `rope_scaling` (v4) and `rope_parameters` (v5).
// Throws ConfigError for a rope type that is not in RopeSpec.
RopeSpec read_rope(JsonObject& config, double default_theta, int64_t max_positions);

}  // namespace argosy
