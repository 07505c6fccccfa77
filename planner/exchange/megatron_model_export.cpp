// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/megatron_model_export.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace argosy {

namespace {

// n, where every n-th layer sees all keys and the others a window; nothing if the layers have
// another turn or are all alike.
std::optional<int64_t> window_skip(const ModelSpec& model) {
  const auto& windowed = model.windowed_layers;
  const auto first = std::find(windowed.begin(), windowed.end(), false);
  if (first == windowed.end()) return std::nullopt;
  const int64_t skip = first - windowed.begin() + 1;
  for (int64_t layer = 0; layer < model.num_layers; ++layer) {
    if (model.is_windowed(layer) != ((layer + 1) % skip != 0)) return std::nullopt;
  }
  return skip;
}

// On every Linear: Megatron-LM has biases on all of them or, but for those of q, k and v, on none.
bool has_all_biases(const ModelSpec& model) {
  return model.attention_output_bias && (model.mlp_bias || model.moe.has_biases);
}

void add_latent_attention(const ModelSpec& m, MegatronLines& flags) {
  flags.add("--multi-latent-attention");
  if (m.latent.q_rank > 0) flags.add("--q-lora-rank", m.latent.q_rank);
  flags.add("--kv-lora-rank", m.latent.kv_rank);
  flags.add("--qk-head-dim", m.latent.nope_dim);
  flags.add("--qk-pos-emb-head-dim", m.latent.rope_dim);
  flags.add("--v-head-dim", m.latent.value_dim);
  flags.add("--qk-layernorm");  // of the small vectors
  flags.add("--position-embedding-type", "rope");
  flags.add("--rope-type", m.rope.type == "yarn" ? "yarn" : "rope");
  flags.add("--rotary-base", static_cast<int64_t>(m.rope.theta));
  if (m.rope.type == "yarn") flags.add("--rotary-scaling-factor", m.rope.factor);
}

void add_yarn(const RopeSpec& rope, MegatronLines& flags) {
  flags.add("--position-embedding-type", "yarn");
  flags.add("--rotary-base", static_cast<int64_t>(rope.theta));
  flags.add("--rotary-scaling-factor", rope.factor);
  flags.add("--yarn-original-max-position-embeddings", rope.original_max_positions);
  flags.add("--yarn-beta-fast", rope.beta_fast);
  flags.add("--yarn-beta-slow", rope.beta_slow);
  flags.add("--mscale", 1);
  flags.add("--mscale-all-dim", 0);
  flags.add_if(!rope.truncates, "--no-yarn-correction-range-round-to-int");
  flags.add("--no-rope-fusion");
}

// gpt-oss: a clamped GLU of its own, and a learned logit a head in the softmax.
void add_gpt_oss(const MoeSpec& moe, MegatronLines& flags) {
  flags.add("--quick-geglu");
  flags.add("--glu-linear-offset", 1);
  flags.add("--activation-func-clamp-value", moe.swiglu_limit);
  flags.add("--softmax-type", "learnable");
  flags.add("--no-bias-dropout-fusion");  // which experts with biases do not have
}

void add_attention(const ModelSpec& m, MegatronLines& flags) {
  flags.add("--num-attention-heads", m.num_heads);
  if (m.num_kv_heads != m.num_heads && !m.has_latent_attention()) {
    flags.add("--group-query-attention");
    flags.add("--num-query-groups", m.num_kv_heads);
  }
  if (m.has_latent_attention()) {
    add_latent_attention(m, flags);
    return;
  }
  flags.add("--kv-channels", m.head_dim);
  flags.add_if(m.qk_norm, "--qk-layernorm");
  flags.add_if(m.qkv_bias && !has_all_biases(m), "--add-qkv-bias");
  if (m.sliding_window > 0) {
    flags.add("--window-size", concat("\"(", m.sliding_window - 1, ",0)\""));
    if (const auto skip = window_skip(m)) flags.add("--window-attn-skip-freq", *skip);
  }
  if (m.position == PositionKind::learned) {
    flags.add("--position-embedding-type", "learned_absolute");
    return;
  }
  if (m.rope.type == "yarn") {
    add_yarn(m.rope, flags);
    return;
  }
  flags.add("--position-embedding-type", "rope");
  flags.add("--rotary-base", static_cast<int64_t>(m.rope.theta));
  if (m.rope.turning_part != 1) flags.add("--rotary-percent", m.rope.turning_part);
  if (m.rope.type == "linear") flags.add("--rotary-seq-len-interpolation-factor", m.rope.factor);
  if (m.rope.type == "llama3") {
    flags.add("--use-rope-scaling");
    flags.add("--rope-scaling-factor", m.rope.factor);
  }
}

void add_experts(const Plan& plan, MegatronLines& flags) {
  const MoeSpec& moe = plan.model.moe;
  flags.add("--num-experts", moe.num_experts);
  flags.add("--moe-router-topk", moe.top_k);
  flags.add("--moe-ffn-hidden-size", moe.ffn_size);
  if (moe.shared_ffn_size > 0) {
    flags.add("--moe-shared-expert-intermediate-size", moe.shared_ffn_size);
    flags.add_if(moe.shared_gate, "--moe-shared-expert-gate");
  }
  const auto& is_moe = plan.model.layer_is_moe;
  if (std::find(is_moe.begin(), is_moe.end(), false) != is_moe.end()) {
    std::string pattern;
    for (bool moe_layer : is_moe) pattern += concat(pattern.empty() ? "[" : ",", moe_layer ? 1 : 0);
    flags.add("--moe-layer-freq", concat("\"", pattern, "]\""));
  }
  if (moe.scoring == ScoringFunction::sigmoid) {
    flags.add("--moe-router-score-function", "sigmoid");
    flags.add("--moe-router-enable-expert-bias");
  } else {
    flags.add_if(moe.order == RouterOrder::softmax_then_topk && !moe.normalize_topk,
                 "--moe-router-pre-softmax");
  }
  if (moe.num_groups > 1) {
    flags.add("--moe-router-num-groups", moe.num_groups);
    flags.add("--moe-router-group-topk", moe.top_groups);
  }
  if (moe.routed_scaling != 1) flags.add("--moe-router-topk-scaling-factor", moe.routed_scaling);
  if (moe.aux_loss_coef > 0) {
    flags.add("--moe-router-load-balancing-type", "seq_aux_loss");
    flags.add("--moe-aux-loss-coeff", moe.aux_loss_coef);
  } else {
    flags.add("--moe-router-load-balancing-type", "none");
  }
  if (moe.z_loss_coef > 0) flags.add("--moe-z-loss-coeff", moe.z_loss_coef);
  if (plan.moe_capacity_factor > 0) {
    flags.add("--moe-expert-capacity-factor", plan.moe_capacity_factor);
  }
  flags.add("--moe-token-dispatcher-type", "alltoall");
  flags.add("--moe-grouped-gemm");
}

}  // namespace

void refuse_megatron_model(const ModelSpec& model, const Refusal& refuse) {
  refuse.always_when(model.qk_norm_is_whole, "model: ", model.name, " (model_type ",
                     model.model_type, ") has no flags for pretrain_gpt.py; valid: another model");
  refuse.always_when(
      model.attention_output_bias != (model.mlp_bias || model.moe.has_biases),
      "model: ", model.name,
      ": biases on a part of the Linears have no flag for pretrain_gpt.py; valid: on all, on none, "
      "or on those of q, k and v");
  const std::string& rope = model.rope.type;
  refuse.always_when(model.has_latent_attention() && rope != "default" && rope != "yarn",
                     "model: rope_type=", rope,
                     " has no flag beside latent attention; valid: default, yarn");
  refuse.always_when(!model.windowed_layers.empty() && !window_skip(model),
                     "model: layer_types: layers with a window in no fixed turn have no flag; "
                     "valid: every n-th layer without one");
}

void add_megatron_model(const Plan& plan, MegatronLines& flags) {
  const ModelSpec& m = plan.model;
  flags.add("--num-layers", m.num_layers);
  flags.add("--hidden-size", m.hidden_size);
  flags.add("--ffn-hidden-size", m.ffn_size > 0 ? m.ffn_size : m.moe.ffn_size);
  add_attention(m, flags);
  flags.add("--max-position-embeddings", std::max(m.max_positions, plan.seq_len));
  flags.add("--vocab-size", m.vocab_size);
  flags.add("--make-vocab-size-divisible-by", 1);
  flags.add("--normalization", m.norm == NormKind::rms ? "RMSNorm" : "LayerNorm");
  flags.add("--norm-epsilon", m.norm_eps);
  if (m.attention_sinks) {
    add_gpt_oss(m.moe, flags);
  } else {
    flags.add_if(m.mlp == MlpKind::swiglu, "--swiglu");
  }
  flags.add_if(!m.tied_head, "--untie-embeddings-and-output-weights");
  flags.add_if(!has_all_biases(m), "--disable-bias-linear");
  flags.add("--init-method-std", m.init_std);
  flags.add("--attention-dropout", 0);
  flags.add("--hidden-dropout", 0);
  if (m.has_moe()) add_experts(plan, flags);
}

}  // namespace argosy
