// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Llama and its descendants: RMS norms, rotary embedding, SwiGLU, grouped-query attention.
#include <algorithm>

#include "planner/spec/check.h"
#include "planner/spec/model_reading.h"

namespace argosy {

namespace {

// What a model type fixes, and what Transformers assumes where its config is silent.
struct TypeFacts {
  const char* name;
  double rms_norm_eps, rope_theta;
  int64_t max_positions;
  int64_t head_dim;        // 0: hidden / heads
  int64_t sliding_window;  // 0: none
  bool qkv_bias;           // always there, whatever attention_bias says
  bool attention_bias;     // the key exists and adds biases to q, k, v and o
  bool qk_norm;
};
constexpr TypeFacts kTypes[] = {
    // name, eps, theta, positions, head_dim, window, qkv_bias, attention_bias, qk_norm
    {"llama", 1e-6, 1e4, 2048, 0, 0, false, true, false},
    {"mistral", 1e-6, 1e4, 131072, 0, 4096, false, false, false},
    {"qwen2", 1e-6, 1e4, 32768, 0, 0, true, false, false},
    {"qwen3", 1e-6, 1e4, 32768, 128, 0, false, true, true},
    {"mixtral", 1e-5, 1e6, 131072, 0, 0, false, false, false},
    {"qwen2_moe", 1e-6, 1e4, 32768, 0, 0, true, false, false},
    {"qwen3_moe", 1e-6, 1e4, 32768, 0, 0, false, true, true},
    {"deepseek_v3", 1e-6, 1e4, 4096, 0, 0, false, true, false},
    {"glm4_moe", 1e-5, 1e4, 131072, 0, 0, false, true, false},
    {"olmoe", 1e-5, 1e4, 4096, 0, 0, false, true, true},
    {"gpt_oss", 1e-5, 1.5e5, 131072, 64, 128, false, true, false},
};

// The layers with a window as a config lists them. Qwen2 and Qwen3 window those from
// max_window_layers on, gpt-oss every other one, Gemma's and Cohere's key all but each n-th.
std::vector<bool> read_windowed_layers(JsonObject& config, const ModelSpec& model) {
  const auto num_layers = static_cast<size_t>(model.num_layers);
  std::vector<bool> windowed(num_layers, true);
  int64_t first = 0, pattern = model.model_type == "gpt_oss" ? 2 : 0;
  if (model.model_type.starts_with("qwen")) first = config.integer("max_window_layers", 0);
  pattern = read_size(config, "sliding_window_pattern", pattern == 0 ? model.num_layers + 1 : 2);
  for (size_t i = 0; i < num_layers; ++i) {
    const auto layer = static_cast<int64_t>(i);
    windowed[i] = layer >= first && (layer + 1) % pattern != 0;
  }
  if (!config.has("layer_types")) return windowed;
  const std::vector<std::string> kinds = config.texts("layer_types");
  if (kinds.size() != num_layers) {
    config.fail("layer_types", concat("expected num_hidden_layers=", num_layers, " entries"));
  }
  for (size_t i = 0; i < num_layers; ++i) {
    windowed[i] = kinds[i] == "sliding_attention";
    if (!windowed[i] && kinds[i] != "full_attention") {
      config.fail("layer_types", concat("'", kinds[i],
                                        "' cannot be represented; valid: 'full_attention', "
                                        "'sliding_attention'"));
    }
  }
  return windowed;
}

// Which keys a query sees.
void read_sliding_window(JsonObject& config, ModelSpec& model, int64_t fallback) {
  // A null is "no window", a missing key the default of the type.
  const bool is_null = config.contains("sliding_window") && !config.has("sliding_window");
  config.ignore("sliding_window");
  model.sliding_window = is_null ? 0 : config.integer("sliding_window", fallback);
  if (model.sliding_window < 0) config.fail("sliding_window", "expected at least 0 or null");
  if (model.model_type.starts_with("qwen") && !config.boolean("use_sliding_window", false)) {
    model.sliding_window = 0;
  }
  const std::vector<bool> windowed = read_windowed_layers(config, model);
  const auto num_windowed = std::count(windowed.begin(), windowed.end(), true);
  if (model.sliding_window == 0) {
    if (config.has("layer_types") && num_windowed > 0) {
      config.fail("layer_types",
                  "'sliding_attention' needs the window; valid: with sliding_window"
                  ", or 'full_attention' for every layer");
    }
    return;
  }
  if (num_windowed == 0) model.sliding_window = 0;
  const bool is_mixed = num_windowed > 0 && num_windowed < model.num_layers;
  if (is_mixed) model.windowed_layers = windowed;
}

void read_attention(JsonObject& config, ModelSpec& model, const TypeFacts& type) {
  model.head_dim = type.head_dim;
  read_heads(config, model, "hidden_size", "num_attention_heads");
  model.head_dim = read_size(config, "head_dim", model.head_dim);
  if (model.head_dim % 2 != 0) {
    throw ConfigError(concat(config.where(),
                             ": head_dim: rotary embedding needs an even head size, found ",
                             model.head_dim));
  }
  // Only LlamaConfig ties the default to another key; elsewhere a missing key would be a guess.
  model.num_kv_heads = model.model_type == "llama"
                           ? read_size(config, "num_key_value_heads", model.num_heads)
                           : read_size(config, "num_key_value_heads");
  if (model.num_heads % model.num_kv_heads != 0) {
    config.fail("num_key_value_heads", concat("must divide num_attention_heads=", model.num_heads));
  }
  const bool is_gpt_oss = model.model_type == "gpt_oss", is_glm = model.model_type == "glm4_moe";
  const bool bias = type.attention_bias && config.boolean("attention_bias", is_gpt_oss);
  if (!type.attention_bias) expect_flag(config, "attention_bias", type.qkv_bias);
  model.qkv_bias = type.qkv_bias || bias;
  model.attention_output_bias = bias && !is_glm;
  if (type.qkv_bias) expect_flag(config, "qkv_bias", true);
  model.qk_norm = type.qk_norm || (is_glm && config.boolean("use_qk_norm", false));
  model.qk_norm_is_whole = model.model_type == "olmoe";
  model.attention_sinks = is_gpt_oss;
  if (config.has("clip_qkv")) config.fail("clip_qkv", "cannot be represented; only null is valid");
  config.ignore("clip_qkv");
}

// GLM-4.5 turns a part of each head, half of it where its config is silent.
void read_rotation(JsonObject& config, ModelSpec& model, const TypeFacts& type) {
  constexpr double kHalf = 0.5;
  const bool is_glm = model.model_type == "glm4_moe";
  const double part = is_glm ? config.positive_number("partial_rotary_factor", kHalf) : kWholeHeads;
  model.rope = read_rope(config, type.rope_theta, model, part);
  const int64_t turning = model.turning_dim();
  if (is_glm && (turning < 2 || turning > model.head_dim || turning % 2 != 0)) {
    throw ConfigError(concat(config.where(),
                             ": partial_rotary_factor: of head_dim=", model.head_dim,
                             " an even number of elements must turn, 2 to ", model.head_dim,
                             ", found ", model.rope.turning_part, ", which is ", turning));
  }
}

}  // namespace

std::vector<std::string> llama_like_types() {
  std::vector<std::string> names;
  for (const TypeFacts& type : kTypes) names.emplace_back(type.name);
  return names;
}

bool read_llama_like(JsonObject& config, ModelSpec& model) {
  const auto* found = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& facts) {
    return model.model_type == facts.name;
  });
  if (found == std::end(kTypes)) return false;
  const TypeFacts& type = *found;
  model.vocab_size = read_size(config, "vocab_size");
  model.num_layers = read_count(config, "num_hidden_layers");
  model.layer_is_moe.assign(static_cast<size_t>(model.num_layers), false);
  model.max_positions = read_size(config, "max_position_embeddings", type.max_positions);
  const bool is_deepseek = model.model_type == "deepseek_v3";
  if (is_deepseek) {
    read_latent_attention(config, model);
  } else {
    read_attention(config, model, type);
  }
  read_sliding_window(config, model, type.sliding_window);
  model.norm_eps = config.positive_number("rms_norm_eps", type.rms_norm_eps);
  read_rotation(config, model, type);
  model.tied_head = config.boolean("tie_word_embeddings", false);
  model.init_std = config.positive_number("initializer_range", 0.02);
  expect_word(config, "hidden_act", {"silu", "swish"});
  expect_flag(config, "mlp_bias", false);
  const std::string& name = model.model_type;
  if (is_deepseek || name == "glm4_moe") {
    read_deepseek_moe(config, model);
  } else if (name == "mixtral" || name == "olmoe" || name == "gpt_oss" || name.ends_with("_moe")) {
    read_moe(config, model);
  }
  const bool any_dense = std::find(model.layer_is_moe.begin(), model.layer_is_moe.end(), false) !=
                         model.layer_is_moe.end();
  if (any_dense) {
    model.ffn_size = read_size(config, "intermediate_size");
  } else {
    config.ignore("intermediate_size");
  }
  return true;
}

}  // namespace argosy
