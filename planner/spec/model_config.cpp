// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// config.json -> ModelSpec.
#include <algorithm>
#include <filesystem>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/model_reading.h"

namespace argosy {

namespace {

// Keys that change nothing here: bookkeeping, generation, or the way Transformers computes.
constexpr const char* kHarmlessKeys[] = {
    "architectures",
    "torch_dtype",
    "dtype",
    "use_cache",
    "transformers_version",
    "pretraining_tp",
    "auto_map",
    "output_router_logits",
    "return_dict",
    "is_decoder",
    "output_past",
    "task_specific_params",
    "n_ctx",
    "torchscript",
    "gradient_checkpointing",
    "use_flash_attn",
    "output_attentions",
    "output_hidden_states",
    "chunk_size_feed_forward",
    "problem_type",
    "reorder_and_upcast_attn",
    "max_window_layers",
    "use_sliding_window",
    "rope_interleaved",
    "ep_size",
    "experts_per_token",  // gpt-oss writes num_experts_per_tok twice
    "initial_context_length",
};

// Randomness of training that a run turns on by itself, if at all.
constexpr const char* kDropoutKeys[] = {
    "attention_dropout",   "hidden_dropout", "resid_pdrop",      "embd_pdrop",        "attn_pdrop",
    "router_jitter_noise", "dropout",        "residual_dropout", "embedding_dropout",
};

// An end-of-text id is an integer or a list of them; both are the tokenizer's business.
void check_token_ids(JsonObject& config) {
  for (const std::string& key : config.keys()) {
    if (!key.ends_with("_token_id")) continue;
    config.ignore(key);
    if (!config.has(key)) continue;
    if (config.value(key).is_array()) {
      config.integers(key);
    } else {
      config.integer(key);
    }
  }
}

std::vector<std::string> collect_warnings(JsonObject& config) {
  std::vector<std::string> warnings;
  for (const char* key : kDropoutKeys) {
    if (const double rate = config.number(key, 0.0); rate > 0) {
      warnings.push_back(concat(config.where(), ": ", key, " = ", rate, " is read and stays off"));
    }
  }
  for (const char* key : kHarmlessKeys) config.ignore(key);
  for (const std::string& key : config.unknown_keys()) {
    if (key.starts_with("_") || key.starts_with("summary_")) continue;
    warnings.push_back(concat(config.where(), ": unknown key '", key, "' is ignored"));
  }
  return warnings;
}

[[noreturn]] void fail_model_type(const JsonObject& config) {
  std::string valid = "gpt2";
  for (const std::string& name : llama_like_types()) valid += ", " + name;
  config.fail("model_type", "unknown; valid: " + valid);
}

}  // namespace

int64_t read_size(JsonObject& config, const std::string& key) {
  constexpr int64_t kLargest = 2147483647;
  const int64_t size = config.positive_integer(key);
  if (size > kLargest) config.fail(key, concat("expected at most ", kLargest));
  return size;
}

int64_t read_size(JsonObject& config, const std::string& key, int64_t fallback) {
  config.ignore(key);
  return config.has(key) ? read_size(config, key) : fallback;
}

int64_t read_count(JsonObject& config, const std::string& key) {
  constexpr int64_t kMost = 100000;
  const int64_t count = config.positive_integer(key);
  if (count > kMost) config.fail(key, concat("expected at most ", kMost));
  return count;
}

void expect_word(JsonObject& config, const std::string& key,
                 const std::vector<std::string>& valid) {
  const std::string word = config.text(key, valid.front());
  if (std::find(valid.begin(), valid.end(), word) != valid.end()) return;
  std::string list;
  for (const std::string& each : valid) append_listed(list, each);
  config.fail(key, "cannot be represented; valid: " + list);
}

void expect_flag(JsonObject& config, const std::string& key, bool only) {
  if (config.boolean(key, only) != only) {
    config.fail(
        key, std::string("cannot be represented; only ") + (only ? "true" : "false") + " is valid");
  }
}

void read_heads(JsonObject& config, ModelSpec& model, const std::string& hidden_key,
                const std::string& heads_key) {
  model.hidden_size = read_size(config, hidden_key);
  model.num_heads = read_size(config, heads_key);
  if (!config.has("head_dim") && model.head_dim == 0) {
    if (model.hidden_size % model.num_heads != 0) {
      config.fail(heads_key, concat("must divide ", hidden_key, "=", model.hidden_size));
    }
    model.head_dim = model.hidden_size / model.num_heads;
  }
}

void read_gpt2(JsonObject& config, ModelSpec& model) {
  model.vocab_size = read_size(config, "vocab_size");
  model.num_layers = read_count(config, "n_layer");
  model.layer_is_moe.assign(static_cast<size_t>(model.num_layers), false);
  model.max_positions = read_size(config, "n_positions");
  read_heads(config, model, "n_embd", "n_head");
  model.num_kv_heads = model.num_heads;
  model.ffn_size = read_size(config, "n_inner", 4 * model.hidden_size);
  model.norm = NormKind::layer;
  model.norm_eps = config.positive_number("layer_norm_epsilon", 1e-5);
  model.position = PositionKind::learned;
  model.mlp = MlpKind::gelu;
  model.tied_head = config.boolean("tie_word_embeddings", true);
  model.qkv_bias = model.attention_output_bias = model.mlp_bias = true;
  model.init_std = config.positive_number("initializer_range", 0.02);
  expect_word(config, "activation_function", {"gelu_new", "gelu_pytorch_tanh"});
  expect_flag(config, "scale_attn_weights", true);
  expect_flag(config, "scale_attn_by_inverse_layer_idx", false);
  expect_flag(config, "add_cross_attention", false);
}

std::vector<int> ModelSpec::moe_layers() const {
  std::vector<int> layers;
  for (int64_t layer = 0; layer < num_layers; ++layer) {
    if (layer_is_moe[static_cast<size_t>(layer)]) layers.push_back(static_cast<int>(layer));
  }
  const bool is_last_moe = !layer_is_moe.empty() && layer_is_moe.back();
  for (int64_t module = 0; is_last_moe && module < num_mtp_modules; ++module) {
    layers.push_back(mtp_layer(module));
  }
  return layers;
}

bool ModelSpec::is_windowed(int64_t layer) const {
  if (sliding_window <= 0) return false;
  return windowed_layers.empty() || windowed_layers.at(static_cast<size_t>(kind_layer(layer)));
}

bool ModelSpec::has_windowed_layer() const {
  for (int64_t layer = 0; layer < num_layers; ++layer) {
    if (is_windowed(layer)) return true;
  }
  return false;
}

bool ModelSpec::has_moe() const {
  return std::find(layer_is_moe.begin(), layer_is_moe.end(), true) != layer_is_moe.end();
}

ModelReading parse_model(std::string_view json_text, const std::string& name,
                         const std::string& where) {
  const Json json = parse_json(json_text, where);
  JsonObject config(json, where);
  ModelReading reading;
  ModelSpec& model = reading.model;
  model.name = name;
  model.config_json = json_text;
  model.model_type = config.text("model_type");
  if (model.model_type == "gpt2") {
    read_gpt2(config, model);
  } else if (!read_llama_like(config, model)) {
    fail_model_type(config);
  }
  check_token_ids(config);
  reading.warnings = collect_warnings(config);
  return reading;
}

ModelReading read_model(const std::filesystem::path& path) {
  const bool is_folder = std::filesystem::is_directory(path);
  const std::filesystem::path file = is_folder ? path / "config.json" : path;
  // A folder, or the config.json in one, is called as the folder is.
  const std::string name =
      file.filename() == "config.json"
          ? std::filesystem::absolute(file).lexically_normal().parent_path().filename().string()
          : file.stem().string();
  return parse_model(read_text_file(file), name, file.string());
}

}  // namespace argosy
