// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Flags of Megatron-LM's pretrain_gpt.py (megatron/training/arguments.py).
#include <algorithm>
#include <optional>
#include <vector>

#include "planner/exchange/export.h"
#include "planner/exchange/refuse.h"

namespace argosy {

namespace {

class Flags {
 public:
  template <typename... Values>
  void add(const char* flag, const Values&... values) {
    text_ += flag;
    ((text_ += concat(" ", values)), ...);
    text_ += "\n";
  }
  void add_if(bool is_set, const char* flag) {
    if (is_set) add(flag);
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

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

// The first layers of each stage that are computed again in full, where the others are not and all
// stages have as many, or all of fewer; 0: another choice.
int64_t full_layers_of_stages(const Plan& plan) {
  std::vector<int64_t> counts;
  auto layer = plan.recompute.begin();
  for (const int64_t size : plan.layers_per_stage) {
    const auto end = layer + size;
    const auto kept = std::find_if(layer, end, [](Recompute r) { return r != Recompute::full; });
    if (std::any_of(kept, end, [](Recompute r) { return r != Recompute::none; })) return 0;
    counts.push_back(kept - layer);
    layer = end;
  }
  const int64_t most = *std::max_element(counts.begin(), counts.end());
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != std::min(most, plan.layers_per_stage[i])) return 0;
  }
  return most;
}

// What no other plan can change.
void refuse_job(const Plan& plan) {
  const Refusal refuse("megatron");
  const ModelSpec& model = plan.model;
  refuse.always_when(model.attention_sinks || model.qk_norm_is_whole, "model: ", model.name,
                     " (model_type ", model.model_type,
                     ") has no flags for pretrain_gpt.py; valid: another model");
  const RopeSpec& rope = model.rope;
  const bool has_rope = model.position == PositionKind::learned || rope.type == "default" ||
                        rope.type == "linear" || rope.type == "llama3" ||
                        (rope.type == "yarn" && model.has_latent_attention());
  refuse.always_when(!has_rope, "model: rope_type=", rope.type,
                     " has no flag for pretrain_gpt.py; valid: default, linear, llama3");
  refuse.always_when(!model.windowed_layers.empty() && !window_skip(model),
                     "model: layer_types: layers with a window in no fixed turn have no flag; "
                     "valid: every n-th layer without one");
  refuse.always_when(plan.task == Task::lora,
                     "task=lora has no flag in Megatron-LM; valid: --task pretrain or finetune");
  refuse.always_when(plan.precision == Precision::fp64,
                     "precision=fp64 has no flag in Megatron-LM; valid: --precision bf16, fp32 or "
                     "fp8");
}

void refuse(const Plan& plan) {
  refuse_job(plan);
  Refusal refuse("megatron");
  const bool has_schedule = plan.mesh.pp == 1 || plan.schedule == ScheduleKind::one_f_one_b ||
                            plan.schedule == ScheduleKind::interleaved;
  refuse.when(!has_schedule, "schedule=", to_string(plan.schedule),
              " has no flag in Megatron-LM; valid: --fix schedule=1f1b or interleaved");
  refuse.when(plan.zero_stage >= 2 && plan.mesh.pp > 1, "zero=", plan.zero_stage,
              " with pp=", plan.mesh.pp,
              ": Megatron-FSDP shards without pipelines; valid: --fix zero=1 or pp=1");
  refuse.when(!is_recomputed_alike(plan) && full_layers_of_stages(plan) == 0, recomputed_part(plan),
              " are computed again, neither all of them nor the first of each stage in full; "
              "valid: --fix recompute=none, selective or full, with recompute_layers of so many a "
              "stage");
  refuse.when(plan.offload != Offload::none && plan.zero_stage != 1,
              "offload=optimizer with zero=", plan.zero_stage,
              " is not there; valid: --fix zero=1");
  refuse_single_rank_schedule(plan, refuse);
  refuse.raise();
}

void add_latent_attention(const ModelSpec& m, Flags& flags) {
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

void add_attention(const ModelSpec& m, Flags& flags) {
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
  flags.add_if(m.qkv_bias && !m.mlp_bias, "--add-qkv-bias");
  if (m.sliding_window > 0) {
    flags.add("--window-size", concat("\"(", m.sliding_window - 1, ",0)\""));
    if (const auto skip = window_skip(m)) flags.add("--window-attn-skip-freq", *skip);
  }
  if (m.position == PositionKind::learned) {
    flags.add("--position-embedding-type", "learned_absolute");
    return;
  }
  flags.add("--position-embedding-type", "rope");
  flags.add("--rotary-base", static_cast<int64_t>(m.rope.theta));
  if (m.rope.type == "linear") flags.add("--rotary-seq-len-interpolation-factor", m.rope.factor);
  if (m.rope.type == "llama3") {
    flags.add("--use-rope-scaling");
    flags.add("--rope-scaling-factor", m.rope.factor);
  }
}

void add_experts(const Plan& plan, Flags& flags) {
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

void add_model(const Plan& plan, Flags& flags) {
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
  flags.add_if(m.mlp == MlpKind::swiglu, "--swiglu");
  flags.add_if(!m.tied_head, "--untie-embeddings-and-output-weights");
  flags.add_if(!m.mlp_bias && !m.attention_output_bias, "--disable-bias-linear");
  flags.add("--init-method-std", m.init_std);
  flags.add("--attention-dropout", 0);
  flags.add("--hidden-dropout", 0);
  if (m.has_moe()) add_experts(plan, flags);
}

// Layers of each stage, "Ett|tt|ttL": stages in order, virtual ones included; m: a module for
// multi-token prediction.
std::string pipeline_layout(const Plan& plan) {
  std::string layout = "E";
  for (size_t i = 0; i < plan.layers_per_stage.size(); ++i) {
    if (i > 0) layout += "|";
    layout += concat("t*", plan.layers_per_stage[i]);
  }
  layout.append(static_cast<size_t>(plan.model.num_mtp_modules), 'm');
  return "\"" + layout + "L\"";
}

void add_pipeline(const Plan& plan, Flags& flags) {
  flags.add("--pipeline-model-parallel-size", plan.mesh.pp);
  if (plan.mesh.pp == 1) return;
  if (!is_split_evenly(plan)) {
    flags.add("--pipeline-model-parallel-layout", pipeline_layout(plan));
  } else if (plan.virtual_stages > 1) {
    flags.add("--num-layers-per-virtual-pipeline-stage", plan.layers_per_stage.front());
  }
}

void add_parallelism(const Plan& plan, Flags& flags) {
  const Mesh& mesh = plan.mesh;
  flags.add("--tensor-model-parallel-size", mesh.tp);
  flags.add_if(plan.sequence_parallel, "--sequence-parallel");
  add_pipeline(plan, flags);
  flags.add_if(mesh.order == RankOrder::tp_cp_pp_dp, "--use-tp-pp-dp-mapping");
  flags.add("--context-parallel-size", mesh.cp);
  if (mesh.cp > 1) {
    flags.add("--cp-comm-type", plan.cp_kind == ContextParallel::ring ? "p2p" : "a2a");
  }
  if (plan.model.has_moe()) {
    flags.add("--expert-model-parallel-size", mesh.ep);
    flags.add("--expert-tensor-parallel-size", mesh.etp);
  }
  flags.add_if(plan.zero_stage >= 1, "--use-distributed-optimizer");
  if (const int64_t groups = num_shard_groups(plan); groups > 1) {
    flags.add("--num-distributed-optimizer-instances", groups);
  }
  if (plan.zero_stage >= 2) {
    flags.add("--use-megatron-fsdp");
    flags.add("--data-parallel-sharding-strategy",
              plan.zero_stage == 2 ? "optim_grads" : "optim_grads_params");
    flags.add("--no-gradient-accumulation-fusion");
  }
}

void add_recompute(const Plan& plan, Flags& flags) {
  if (!is_recomputed_alike(plan)) {
    flags.add("--recompute-granularity", "full");
    flags.add("--recompute-method", "block");
    flags.add("--recompute-num-layers", full_layers_of_stages(plan));
    return;
  }
  switch (plan.recompute.front()) {
    case Recompute::none:
      break;
    case Recompute::selective:
      flags.add("--recompute-granularity", "selective");
      break;
    case Recompute::full:
      flags.add("--recompute-granularity", "full");
      flags.add("--recompute-method", "uniform");
      flags.add("--recompute-num-layers", 1);
      break;
  }
}

void add_training(const Plan& plan, Flags& flags) {
  flags.add("--micro-batch-size", plan.micro_batch);
  flags.add("--global-batch-size", plan.global_batch);
  flags.add("--seq-length", plan.seq_len);
  flags.add_if(plan.precision == Precision::bf16 || plan.precision == Precision::fp8, "--bf16");
  if (plan.precision == Precision::fp8) flags.add("--fp8-format", "hybrid");
  flags.add_if(plan.task == Task::finetune, "--finetune");
  if (plan.offload == Offload::optimizer) {
    flags.add("--optimizer-cpu-offload");
    flags.add("--use-precision-aware-optimizer");
  }
  if (plan.model.num_mtp_modules > 0) flags.add("--mtp-num-layers", plan.model.num_mtp_modules);
  add_recompute(plan, flags);
  flags.add("--optimizer", plan.optimizer == OptimizerKind::adamw ? "adam" : "sgd");
  if (plan.optimizer == OptimizerKind::sgd) flags.add("--sgd-momentum", 0);
  flags.add("--seed", plan.seed);
}

}  // namespace

std::string megatron_flags(const Plan& plan) {
  refuse(plan);
  Flags flags;
  add_model(plan, flags);
  add_parallelism(plan, flags);
  add_training(plan, flags);
  return std::move(flags).text();
}

}  // namespace argosy
