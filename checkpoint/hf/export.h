// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A checkpoint as others read it: Hugging Face's folder of a model, PEFT's folder of an adapter.
#pragma once

#include <filesystem>
#include <string>

namespace argosy {

// model    config.json and model.safetensors (parts of at most 5 GB with an index): the weights in
//          the run's precision; ConfigError for the checkpoint of a LoRA job
// merged   the same of a LoRA job, with W + alpha / rank * B A in place of each adapted W
// adapter  adapter_config.json and adapter_model.safetensors in fp32: the factors of a LoRA job
enum class Export { model, merged, adapter };

// The files of the run's tokenizer, if it has one, go with each.
//
// Creates the folder `out`, whole or not at all, and returns what was written in words. Throws
// ConfigError when `out` exists or the checkpoint has not what is asked for, Error for damage.
std::string export_checkpoint(const std::filesystem::path& checkpoint_dir, Export what,
                              const std::filesystem::path& out);

}  // namespace argosy
