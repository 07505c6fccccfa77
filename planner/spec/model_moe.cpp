// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The experts' keys: Mixtral's and Qwen's spelling (others follow one of them), and DeepSeek's for
// how experts are chosen.
#include "planner/spec/check.h"
#include "planner/spec/model_reading.h"

namespace argosy {

namespace {

// Keys of DeepSeek's configs; other model types may carry them too.
void read_choice(JsonObject& config, MoeSpec& moe) {
  expect_word(config, "scoring_func", {"softmax", "sigmoid"});
  if (config.text("scoring_func", "softmax") == "sigmoid") {
    moe.scoring = ScoringFunction::sigmoid;
    moe.order = RouterOrder::softmax_then_topk;  // of no meaning here
    moe.normalize_topk = config.boolean("norm_topk_prob", true);
    if (moe.z_loss_coef > 0) {
      config.fail("router_z_loss_coef",
                  "expected 0 with scoring_func sigmoid, which has no log-sum-exp");
    }
  }
  moe.num_groups = read_size(config, "n_group", 1);
  moe.top_groups = read_size(config, "topk_group", moe.num_groups);
  moe.routed_scaling = config.positive_number("routed_scaling_factor", 1.0);
  if (moe.num_experts % moe.num_groups != 0) {
    config.fail("n_group", concat("expected a divisor of the ", moe.num_experts, " experts"));
  }
  if (moe.top_groups > moe.num_groups) {
    config.fail("topk_group", concat("expected at most n_group=", moe.num_groups));
  }
  if (moe.num_experts / moe.num_groups * moe.top_groups < moe.top_k) {
    config.fail("topk_group",
                concat("expected groups of ", moe.num_experts / moe.num_groups,
                       " experts with at least num_experts_per_tok=", moe.top_k, " together"));
  }
}

}  // namespace

void read_moe(JsonObject& config, ModelSpec& model) {
  MoeSpec& moe = model.moe;
  const std::string& type = model.model_type;
  // Mixtral and gpt-oss have experts alone, of the size that dense models give their MLP; so has
  // OLMoE, in Qwen's words.
  const bool is_like_mixtral = type == "mixtral" || type == "gpt_oss";
  moe.num_experts = read_count(config, is_like_mixtral ? "num_local_experts" : "num_experts");
  moe.top_k = read_size(config, "num_experts_per_tok");
  if (moe.top_k > moe.num_experts) {
    config.fail("num_experts_per_tok",
                concat("expected at most the ", moe.num_experts, " experts"));
  }
  const double default_coef = type == "olmoe" ? 0.01 : 0.001;
  moe.aux_loss_coef = config.number("router_aux_loss_coef", default_coef);
  moe.z_loss_coef = config.number("router_z_loss_coef", 0.0);
  if (!(moe.aux_loss_coef >= 0)) config.fail("router_aux_loss_coef", "expected at least 0");
  if (!(moe.z_loss_coef >= 0)) config.fail("router_z_loss_coef", "expected at least 0");
  const auto num_layers = static_cast<size_t>(model.num_layers);
  if (is_like_mixtral || type == "olmoe") {
    moe.ffn_size = read_size(config, "intermediate_size");
    if (is_like_mixtral) moe.order = RouterOrder::topk_then_softmax;
    if (type == "olmoe") moe.normalize_topk = config.boolean("norm_topk_prob", false);
    if (type == "gpt_oss") {
      moe.has_biases = true;
      moe.swiglu_limit = config.positive_number("swiglu_limit", 7.0);
      moe.swiglu_alpha = config.positive_number("swiglu_alpha", 1.702);
    }
    read_choice(config, moe);
    model.layer_is_moe.assign(num_layers, true);
    return;
  }
  moe.ffn_size = read_size(config, "moe_intermediate_size");
  moe.normalize_topk = config.boolean("norm_topk_prob", false);
  read_choice(config, moe);
  if (model.model_type == "qwen2_moe") {
    moe.shared_ffn_size = read_size(config, "shared_expert_intermediate_size");
    moe.shared_gate = true;
  }
  const int64_t step = read_size(config, "decoder_sparse_step", 1);
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

}  // namespace argosy
