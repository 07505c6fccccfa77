// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Parts of the config reader, one per file. Keys, defaults and their meaning are those of Hugging
// Face Transformers' configuration classes. For .cpp files only.
#pragma once

#include <string>
#include <vector>

#include "planner/spec/json.h"
#include "planner/spec/model.h"

namespace argosy {

// Each fills `model`, whose model_type is set, from the config. Throws ConfigError naming the key.
void read_gpt2(JsonObject& config, ModelSpec& model);
// False if model_type is not one of llama_like_types().
bool read_llama_like(JsonObject& config, ModelSpec& model);
std::vector<std::string> llama_like_types();
// mixtral, gpt_oss, olmoe, qwen2_moe, qwen3_moe
void read_moe(JsonObject& config, ModelSpec& model);
// deepseek_v3: sizes of the model and its heads; the experts' keys, which glm4_moe has too.
void read_latent_attention(JsonObject& config, ModelSpec& model);
void read_deepseek_moe(JsonObject& config, ModelSpec& model);

// Both spellings of Transformers: `rope_theta` with `rope_scaling` (v4) and `rope_parameters` (v5).
// `model` has its type and max_positions; `turning_part`: RopeSpec's, where the scaling does not
// say; kWholeHeads where it may say no other. Throws ConfigError for a rope type that is not in
// RopeSpec.
inline constexpr double kWholeHeads = 1.0;
RopeSpec read_rope(JsonObject& config, double default_theta, const ModelSpec& model,
                   double turning_part = kWholeHeads);

// hidden_size, num_heads and, unless the config or `model.head_dim` has it, head_dim.
void read_heads(JsonObject& config, ModelSpec& model, const std::string& hidden_key,
                const std::string& heads_key);

// A size: 1 to 2^31 - 1, so that products of three stay within int64 for any real network.
int64_t read_size(JsonObject& config, const std::string& key);
int64_t read_size(JsonObject& config, const std::string& key, int64_t fallback);
// A number of layers or experts, each of which has tensors of its own: 1 to 100,000.
int64_t read_count(JsonObject& config, const std::string& key);

// ConfigError unless the key, if it is there, has the one value (one of the words) that this
// project can represent.
void expect_flag(JsonObject& config, const std::string& key, bool only);
void expect_word(JsonObject& config, const std::string& key, const std::vector<std::string>& valid);

}  // namespace argosy
