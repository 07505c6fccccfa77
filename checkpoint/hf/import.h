// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace argosy {

// The model of Hugging Face in `folder` (config.json and model.safetensors, or its parts by
// model.safetensors.index.json) as the checkpoint OUT/step_00000000, for --init. Every tensor must
// be there and belong to the model. F16 is stored as fp32, which holds it exactly. Returns what was
// written in words; keys of config.json that are passed over go to *warnings. Throws ConfigError
// naming file and tensor.
std::string import_model(const std::filesystem::path& folder, const std::filesystem::path& out,
                         std::vector<std::string>* warnings);

}  // namespace argosy
