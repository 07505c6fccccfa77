// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// DeepSeek-V3 (arXiv:2412.19437) and models built like it: latent attention, experts that are
// chosen by sigmoid scores, some dense layers first. GLM-4.5 (arXiv:2508.06471) has its experts and
// its modules for multi-token prediction.
#include "planner/spec/check.h"
#include "planner/spec/model_reading.h"

namespace argosy {

void read_latent_attention(JsonObject& config, ModelSpec& model) {
  LatentAttention& latent = model.latent;
  model.hidden_size = read_size(config, "hidden_size");
  model.num_heads = model.num_kv_heads = read_size(config, "num_attention_heads");
  config.ignore("num_key_value_heads");  // every head has keys of its own
  config.ignore("head_dim");
  if (config.has("q_lora_rank")) latent.q_rank = read_size(config, "q_lora_rank");
  config.ignore("q_lora_rank");
  latent.kv_rank = read_size(config, "kv_lora_rank");
  latent.nope_dim = read_size(config, "qk_nope_head_dim");
  latent.rope_dim = read_size(config, "qk_rope_head_dim");
  latent.value_dim = read_size(config, "v_head_dim");
  if (latent.rope_dim % 2 != 0) config.fail("qk_rope_head_dim", "expected an even number");
  latent.rope_interleaved = config.boolean("rope_interleave", true);
  model.head_dim = latent.nope_dim + latent.rope_dim;
  expect_flag(config, "attention_bias", false);
}

void read_deepseek_moe(JsonObject& config, ModelSpec& model) {
  MoeSpec& moe = model.moe;
  moe.num_experts = read_count(config, "n_routed_experts");
  moe.top_k = read_size(config, "num_experts_per_tok");
  if (moe.top_k > moe.num_experts) config.fail("num_experts_per_tok", "exceeds n_routed_experts");
  moe.ffn_size = read_size(config, "moe_intermediate_size");
  moe.shared_ffn_size = config.integer("n_shared_experts", 0) * moe.ffn_size;
  if (moe.shared_ffn_size < 0) config.fail("n_shared_experts", "expected at least 0");
  moe.scoring = ScoringFunction::sigmoid;
  expect_word(config, "scoring_func", {"sigmoid"});
  expect_word(config, "topk_method", {"noaux_tc"});
  moe.normalize_topk = config.boolean("norm_topk_prob", true);
  moe.num_groups = read_size(config, "n_group", 1);
  moe.top_groups = read_size(config, "topk_group", moe.num_groups);
  moe.routed_scaling = config.positive_number("routed_scaling_factor", 1.0);
  if (read_size(config, "moe_layer_freq", 1) != 1) config.fail("moe_layer_freq", "expected 1");
  model.num_mtp_modules = config.integer("num_nextn_predict_layers", 0);
  constexpr int64_t kMostModules = 100;
  if (model.num_mtp_modules < 0 || model.num_mtp_modules > kMostModules) {
    config.fail("num_nextn_predict_layers", concat("expected 0 to ", kMostModules));
  }
  const int64_t num_dense = config.integer("first_k_dense_replace", 0);
  if (num_dense < 0 || num_dense > model.num_layers) {
    config.fail("first_k_dense_replace", "expected 0 to num_hidden_layers");
  }
  for (int64_t layer = 0; layer < model.num_layers; ++layer) {
    model.layer_is_moe[static_cast<size_t>(layer)] = layer >= num_dense;
  }
}

}  // namespace argosy
