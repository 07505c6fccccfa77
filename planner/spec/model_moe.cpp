// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The experts' keys: Mixtral's and Qwen's spelling.
#include "planner/spec/check.h"
#include "planner/spec/model_reading.h"

namespace argosy {

void read_moe(JsonObject& config, ModelSpec& model) {
  MoeSpec& moe = model.moe;
  const bool mixtral = model.model_type == "mixtral";
  moe.num_experts = read_count(config, mixtral ? "num_local_experts" : "num_experts");
  moe.top_k = read_size(config, "num_experts_per_tok");
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
    moe.ffn_size = read_size(config, "intermediate_size");
    moe.order = RouterOrder::topk_then_softmax;
    model.layer_is_moe.assign(num_layers, true);
    return;
  }
  moe.ffn_size = read_size(config, "moe_intermediate_size");
  moe.normalize_topk = config.boolean("norm_topk_prob", false);
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
