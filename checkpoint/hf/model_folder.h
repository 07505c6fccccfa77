// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Weights from a folder of Hugging Face: config.json and model.safetensors, or its parts by
// model.safetensors.index.json.
#pragma once

#include <filesystem>

#include "checkpoint/hf/weights.h"
#include "planner/spec/model.h"

namespace argosy {

// It has a config.json, and is no checkpoint of ours.
bool is_hf_folder(const std::filesystem::path& path);

// Finds the model's tensors and maps their files; values are not read. Every tensor must be there
// in the model's shape, and all must belong to it. Throws ConfigError naming file and tensor.
HfSources find_hf_model(const std::filesystem::path& folder, const ModelSpec& model);

}  // namespace argosy
