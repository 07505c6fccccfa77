// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include "planner/spec/model.h"

namespace argosy {

// Throws ConfigError for a negative rank, an alpha that is not positive, no targets, or a target
// that matches no Linear of the model, naming those that would.
void validate_lora(const ModelSpec& model, const LoraSpec& lora);

}  // namespace argosy
