// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The network of a row. What the columns cannot say stands in the notes behind "arch:".
#include <regex>

#include "planner/score/run_setup.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

int64_t required(const std::optional<int64_t>& value, const char* column) {
  if (!value) throw ConfigError(concat("the row does not give ", column));
  return *value;
}

// The first number behind `text` in the notes, or `fallback`.
int64_t number_in_notes(const PublishedRun& run, const std::string& text, int64_t fallback) {
  std::smatch match;
  if (!std::regex_search(run.notes, match, std::regex(text + " ?(\\d+)"))) return fallback;
  return std::stoll(match[1]);
}

void set_experts(const PublishedRun& run, ModelSpec& model) {
  model.model_type = "qwen3_moe";
  model.moe.num_experts = required(run.experts, "experts");
  model.moe.top_k = required(run.top_k, "top_k");
  model.moe.ffn_size = required(run.expert_ffn_hidden, "expert_ffn_hidden");
  if (run.model_name.starts_with("GPT-OSS")) {
    model.model_type = "gpt_oss";
    model.moe.has_biases = model.attention_sinks = true;
    model.qkv_bias = model.attention_output_bias = true;
  }
  model.moe.shared_ffn_size = run.shared_experts.value_or(0) * model.moe.ffn_size;
  int64_t num_dense = number_in_notes(run, "first", 0);
  if (run.notes_have("first layer dense")) num_dense = 1;
  const bool alternates = run.notes_have("MoE on every 2nd layer");
  for (int64_t layer = 0; layer < model.num_layers; ++layer) {
    model.layer_is_moe.push_back(layer >= num_dense && (!alternates || layer % 2 == 1));
  }
}

// Sizes of DeepSeek-V3, arXiv:2412.19437 section 4.2, which all models with such heads share so
// far; only the larger ones make queries of a latent.
void set_latent_attention(const PublishedRun& run, ModelSpec& model) {
  constexpr int64_t kSmallestWithQueryLatent = 5120;  // hidden size of DeepSeek-V2
  LatentAttention& latent = model.latent;
  model.model_type = "deepseek_v3";
  latent.kv_rank = number_in_notes(run, "kv_lora", 512);
  latent.q_rank =
      number_in_notes(run, "q_lora", model.hidden_size >= kSmallestWithQueryLatent ? 1536 : 0);
  latent.nope_dim = latent.value_dim = 128;
  latent.rope_dim = 64;
  model.head_dim = latent.nope_dim + latent.rope_dim;
  model.num_kv_heads = model.num_heads;
}

}  // namespace

ModelSpec model_of(const PublishedRun& run) {
  ModelSpec model;
  model.name = run.model_name;
  model.model_type = run.swiglu ? "llama" : "gpt2";
  model.num_layers = required(run.layers, "layers");
  model.hidden_size = required(run.hidden, "hidden");
  model.vocab_size = required(run.vocab, "vocab");
  model.num_heads = required(run.heads, "heads");
  model.num_kv_heads = run.kv_heads.value_or(model.num_heads);
  model.head_dim = number_in_notes(run, "head_dim", model.hidden_size / model.num_heads);
  model.max_positions = required(run.seq_len, "seq_len");
  model.ffn_size = required(run.ffn_hidden, "ffn_hidden");
  if (!run.swiglu) {
    model.norm = NormKind::layer;
    model.position = PositionKind::learned;
    model.mlp = MlpKind::gelu;
    model.tied_head = true;
    model.qkv_bias = model.attention_output_bias = model.mlp_bias = true;
  }
  const int64_t window = number_in_notes(run, "sliding window", 0);
  if (window > 0 && window < model.max_positions) {  // of every other layer, as gpt-oss has them
    model.sliding_window = window;
    for (int64_t layer = 0; layer < model.num_layers; ++layer) {
      model.windowed_layers.push_back(layer % 2 == 0);
    }
  }
  if (run.arch == "moe") {
    set_experts(run, model);
    if (run.notes_have("arch: MLA")) set_latent_attention(run, model);
  } else {
    model.layer_is_moe.assign(static_cast<size_t>(model.num_layers), false);
  }
  return model;
}

}  // namespace argosy
