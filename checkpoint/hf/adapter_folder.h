// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Adapters from a folder of PEFT: adapter_config.json and adapter_model.safetensors.
#pragma once

#include <filesystem>

#include "checkpoint/hf/weights.h"
#include "planner/spec/plan.h"

namespace argosy {

// Finds the factors of the plan's adapters and maps their file; values are not read. Rank and alpha
// must be the plan's, every factor must be there, and none may be left over. Throws ConfigError
// naming file and key or tensor, also for what an adapter may have and a plan has not: DoRA, ranks
// by module, a scale of alpha / sqrt(rank), trained biases or modules.
HfSources find_peft_adapter(const std::filesystem::path& folder, const Plan& plan);

}  // namespace argosy
