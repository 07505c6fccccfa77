// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/model.h"

namespace argosy {

// Throws ConfigError for a negative rank, an alpha that is not positive, no targets, or a target
// that matches no Linear of the model, naming those that would.
void validate_lora(const ModelSpec& model, const LoraSpec& lora);

// "q_proj,v_proj" as options write it: comma separated, empty words left out.
std::vector<std::string> lora_targets_from_string(std::string_view text);

}  // namespace argosy
