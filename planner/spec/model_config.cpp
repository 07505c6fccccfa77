// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// config.json -> ModelSpec. Keys, defaults and their meaning are those of Hugging Face
// Transformers' configuration classes (LlamaConfig, MistralConfig, Qwen2Config, ..., GPT2Config).
#include <algorithm>
#include <filesystem>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"
#include "planner/spec/model.h"
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
};

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
};

// Randomness of training that a run turns on by itself, if at all.
constexpr const char* kDropoutKeys[] = {
    "attention_dropout",   "hidden_dropout", "resid_pdrop",      "embd_pdrop",        "attn_pdrop",
    "router_jitter_noise", "dropout",        "residual_dropout", "embedding_dropout",
};

void expect_word(JsonObject& config, const std::string& key, const std::string& fallback,
                 const std::vector<std::string>& valid) {
  const std::string word = config.text(key, fallback);
  if (std::find(valid.begin(), valid.end(), word) != valid.end()) return;
  std::string list;
  for (const std::string& each : valid) list += (list.empty() ? "" : ", ") + each;
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
  model.hidden_size = config.positive_integer(hidden_key);
  model.num_heads = config.positive_integer(heads_key);
  if (!config.has("head_dim") && model.head_dim == 0) {
    if (model.hidden_size % model.num_heads != 0) {
      config.fail(heads_key, concat("must divide ", hidden_key, "=", model.hidden_size));
    }
    model.head_dim = model.hidden_size / model.num_heads;
  }
}

// Which keys a query sees. Qwen2 and Qwen3 window the layers from max_window_layers on, and only if
// use_sliding_window says so; here all layers are alike.
void read_sliding_window(JsonObject& config, ModelSpec& model, int64_t fallback) {
  // A null is "no window", a missing key the default of the type.
  const bool is_null = config.contains("sliding_window") && !config.has("sliding_window");
  model.sliding_window = is_null ? 0 : config.integer("sliding_window", fallback);
  if (model.sliding_window < 0) config.fail("sliding_window", "expected at least 0 or null");
  if (model.model_type.starts_with("qwen")) {
    if (!config.boolean("use_sliding_window", false)) {
      model.sliding_window = 0;
    } else if (const int64_t first = config.integer("max_window_layers", 0);
               first >= model.num_layers) {
      model.sliding_window = 0;
    } else if (first > 0) {
      config.fail("max_window_layers",
                  "layers with and without a window cannot be represented; "
                  "valid: 0 or at least num_hidden_layers");
    }
  }
  if (!config.has("layer_types")) return;
  const std::vector<std::string> kinds = config.texts("layer_types");
  const std::string expected = model.sliding_window > 0 ? "sliding_attention" : "full_attention";
  for (const std::string& kind : kinds) {
    if (kind != expected) {
      config.fail("layer_types", concat("'", kind, "' cannot be represented; valid: '", expected,
                                        "' for every layer"));
    }
  }
}

void read_moe(JsonObject& config, ModelSpec& model) {
  MoeSpec& moe = model.moe;
  const bool mixtral = model.model_type == "mixtral";
  moe.num_experts = config.positive_integer(mixtral ? "num_local_experts" : "num_experts");
  moe.top_k = config.positive_integer("num_experts_per_tok");
  if (moe.top_k > moe.num_experts) {
    config.fail("num_experts_per_tok",
                concat("expected at most the ", moe.num_experts, " experts"));
  }
  moe.aux_loss_coef = config.number("router_aux_loss_coef", 0.001);
  moe.z_loss_coef = config.number("router_z_loss_coef", 0.0);
  if (!(moe.aux_loss_coef >= 0)) config.fail("router_aux_loss_coef", "expected at least 0");
  if (!(moe.z_loss_coef >= 0)) config.fail("router_z_loss_coef", "expected at least 0");
  const auto num_layers = static_cast<size_t>(model.num_layers);
  if (mixtral) {
    moe.ffn_size = config.positive_integer("intermediate_size");
    moe.order = RouterOrder::topk_then_softmax;
    model.layer_is_moe.assign(num_layers, true);
    return;
  }
  moe.ffn_size = config.positive_integer("moe_intermediate_size");
  moe.normalize_topk = config.boolean("norm_topk_prob", false);
  if (model.model_type == "qwen2_moe") {
    moe.shared_ffn_size = config.positive_integer("shared_expert_intermediate_size");
    moe.shared_gate = true;
  }
  const int64_t step = config.positive_integer("decoder_sparse_step", 1);
  for (size_t layer = 0; layer < num_layers; ++layer) {
    model.layer_is_moe[layer] = (static_cast<int64_t>(layer) + 1) % step == 0;
  }
  if (!config.has("mlp_only_layers")) return;
  for (const int64_t layer : config.integers("mlp_only_layers")) {
    if (layer < 0 || layer >= model.num_layers) {
      config.fail("mlp_only_layers", concat("expected layers 0 to ", model.num_layers - 1));
    }
    model.layer_is_moe[static_cast<size_t>(layer)] = false;
  }
}

void read_attention(JsonObject& config, ModelSpec& model, const TypeFacts& type) {
  model.head_dim = type.head_dim;
  read_heads(config, model, "hidden_size", "num_attention_heads");
  model.head_dim = config.positive_integer("head_dim", model.head_dim);
  if (model.head_dim % 2 != 0) {
    throw ConfigError(concat(config.where(),
                             ": head_dim: rotary embedding needs an even head size, found ",
                             model.head_dim));
  }
  // Only LlamaConfig ties the default to another key; elsewhere a missing key would be a guess.
  model.num_kv_heads = model.model_type == "llama"
                           ? config.positive_integer("num_key_value_heads", model.num_heads)
                           : config.positive_integer("num_key_value_heads");
  if (model.num_heads % model.num_kv_heads != 0) {
    config.fail("num_key_value_heads", concat("must divide num_attention_heads=", model.num_heads));
  }
  const bool bias = type.attention_bias && config.boolean("attention_bias", false);
  if (!type.attention_bias) expect_flag(config, "attention_bias", type.qkv_bias);
  model.qkv_bias = type.qkv_bias || bias;
  model.attention_output_bias = bias;
  if (type.qkv_bias) expect_flag(config, "qkv_bias", true);
  model.qk_norm = type.qk_norm;
}

void read_llama_like(JsonObject& config, ModelSpec& model, const TypeFacts& type) {
  model.vocab_size = config.positive_integer("vocab_size");
  model.num_layers = config.positive_integer("num_hidden_layers");
  model.layer_is_moe.assign(static_cast<size_t>(model.num_layers), false);
  model.max_positions = config.positive_integer("max_position_embeddings", type.max_positions);
  read_attention(config, model, type);
  read_sliding_window(config, model, type.sliding_window);
  model.norm_eps = config.positive_number("rms_norm_eps", type.rms_norm_eps);
  model.rope = read_rope(config, type.rope_theta, model.max_positions);
  model.tied_head = config.boolean("tie_word_embeddings", false);
  model.init_std = config.positive_number("initializer_range", 0.02);
  expect_word(config, "hidden_act", "silu", {"silu", "swish"});
  expect_flag(config, "mlp_bias", false);
  if (model.model_type == "mixtral" || model.model_type.ends_with("_moe")) read_moe(config, model);
  const bool any_dense = std::find(model.layer_is_moe.begin(), model.layer_is_moe.end(), false) !=
                         model.layer_is_moe.end();
  if (any_dense) {
    model.ffn_size = config.positive_integer("intermediate_size");
  } else {
    config.ignore("intermediate_size");
  }
}

void read_gpt2(JsonObject& config, ModelSpec& model) {
  model.vocab_size = config.positive_integer("vocab_size");
  model.num_layers = config.positive_integer("n_layer");
  model.layer_is_moe.assign(static_cast<size_t>(model.num_layers), false);
  model.max_positions = config.positive_integer("n_positions");
  read_heads(config, model, "n_embd", "n_head");
  model.num_kv_heads = model.num_heads;
  model.ffn_size = config.positive_integer("n_inner", 4 * model.hidden_size);
  model.norm = NormKind::layer;
  model.norm_eps = config.positive_number("layer_norm_epsilon", 1e-5);
  model.position = PositionKind::learned;
  model.mlp = MlpKind::gelu;
  model.tied_head = config.boolean("tie_word_embeddings", true);
  model.qkv_bias = model.attention_output_bias = model.mlp_bias = true;
  model.init_std = config.positive_number("initializer_range", 0.02);
  expect_word(config, "activation_function", "gelu_new", {"gelu_new", "gelu_pytorch_tanh"});
  expect_flag(config, "scale_attn_weights", true);
  expect_flag(config, "scale_attn_by_inverse_layer_idx", false);
  expect_flag(config, "add_cross_attention", false);
}

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

[[noreturn]] void fail_model_type(const JsonObject& config, const std::string& type) {
  std::string valid = "gpt2";
  for (const TypeFacts& facts : kTypes) valid += concat(", ", facts.name);
  const bool later = type == "olmoe" || type == "deepseek_v3" || type == "gpt_oss";
  config.fail("model_type", (later ? "not supported yet; valid: " : "unknown; valid: ") + valid);
}

}  // namespace

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
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& facts) {
    return model.model_type == facts.name;
  });
  if (model.model_type == "gpt2") {
    read_gpt2(config, model);
  } else if (type != std::end(kTypes)) {
    read_llama_like(config, model, *type);
  } else {
    fail_model_type(config, model.model_type);
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
