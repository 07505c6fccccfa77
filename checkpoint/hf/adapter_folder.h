// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Adapters from a folder of PEFT: adapter_config.json and adapter_model.safetensors.
#pragma once

#include <filesystem>

#include "checkpoint/hf/weights.h"
#include "planner/spec/plan.h"

namespace argosy {

// Whether it is a folder of PEFT: it has an adapter_config.json.
bool is_peft_folder(const std::filesystem::path& folder);

// Rank, alpha and targets, as adapter_config.json has them. Throws ConfigError naming file and key,
// as find_peft_adapter() does.
LoraSpec read_peft_lora(const std::filesystem::path& folder);

// Finds the factors of the plan's adapters and maps their file; values are not read. Rank and alpha
// must be the plan's, every factor must be there, and none may be left over. Throws ConfigError
// naming file and key or tensor, also for what an adapter may have and a plan has not: DoRA, ranks
// by module, some of the layers, a scale of alpha / sqrt(rank), trained biases or modules, factors
// that began with a part of the base's weights.
HfSources find_peft_adapter(const std::filesystem::path& folder, const Plan& plan);

}  // namespace argosy
