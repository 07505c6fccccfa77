// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// train.toml of torchtitan v0.2 (torchtitan/config/job_config.py). Models are flavors that it knows
// by name.
#include "planner/exchange/export.h"
#include "planner/exchange/refuse.h"
#include "planner/exchange/torchtitan_flavors.h"
#include "planner/exchange/torchtitan_words.h"

namespace argosy {

namespace {

// What no other plan can change.
void refuse_job(const Plan& plan) {
  const Refusal refuse("torchtitan");
  refuse.always_when(
      find_torchtitan_flavor(plan.model) == nullptr, "model: ", plan.model.name,
      " is none of the flavors that it knows by name; valid: ", torchtitan_flavor_names());
  refuse.always_when(plan.model.num_mtp_modules > 0,
                     "num_nextn_predict_layers is not there; valid: a model without it");
  refuse.always_when(plan.task == Task::lora,
                     "task=lora is not there; valid: --task pretrain or finetune");
  refuse.always_when(plan.optimizer != OptimizerKind::adamw,
                     "optimizer=", to_string(plan.optimizer),
                     " is not there; valid: --optimizer adamw");
  refuse.always_when(plan.precision == Precision::fp64,
                     "precision=fp64 is not there; valid: --precision fp8, bf16 or fp32");
}

void refuse(const Plan& plan) {
  refuse_job(plan);
  Refusal refuse("torchtitan");
  const Mesh& mesh = plan.mesh;
  const std::string name = find_torchtitan_flavor(plan.model)->name;
  refuse.when(mesh.pp > 1 && has_no_pipeline(name), "pp=", mesh.pp, ": ", name,
              " has no pipeline there; valid: --fix pp=1");
  const bool is_plain_dp = mesh.tp == 1 && mesh.pp == 1 && mesh.cp == 1 && mesh.ep == 1;
  refuse.when(mesh.pp > 1 && torchtitan_schedule(plan.schedule).empty(),
              "schedule=", to_string(plan.schedule),
              " is not there; valid: --fix schedule=gpipe, 1f1b, interleaved or zb-v");
  refuse.when(plan.zero_stage == 1,
              "zero=1 is not there: FSDP2 shards gradients too; valid: --fix zero=2 or 3");
  refuse.when(plan.zero_stage == 0 && mesh.dp * mesh.cp > 1 && !is_plain_dp,
              "zero=0 with other parallelism is not there; valid: --fix zero=2 or 3");
  refuse.when(mesh.order != RankOrder::tp_cp_dp_pp && mesh.pp > 1 && mesh.dp > 1,
              "order=", to_string(mesh.order), " is not there; valid: --fix order=tp-cp-dp-pp");
  refuse.when(num_shard_groups(plan) > 1 && mesh.cp > 1, "zero_shard=", mesh.zero_shard,
              " with cp=", mesh.cp, " is not there; valid: --fix cp=1");
  refuse.when(mesh.tp > 1 && !plan.sequence_parallel, "sequence_parallel=0 with tp=", mesh.tp,
              " is not there; valid: --fix sequence_parallel=1");
  refuse.when(mesh.cp > 1 && plan.cp_kind == ContextParallel::ulysses,
              "cp_kind=ulysses is not there; valid: --fix cp_kind=ring");
  refuse.when(plan.model.has_moe() && mesh.etp != 1 && mesh.etp != mesh.tp, "etp=", mesh.etp,
              " is not there; valid: --fix etp=1 or etp=tp");
  refuse.when(plan.model.has_moe() && mesh.ep == 1 && mesh.etp != mesh.tp,
              "ep=1 with etp=", mesh.etp, " and tp=", mesh.tp,
              " is not there; valid: --fix etp=tp");
  refuse.when(plan.precision == Precision::fp8 && plan.model.has_moe() && mesh.pp > 1,
              "precision=fp8 with experts and pp=", mesh.pp, " is not there; valid: --fix pp=1");
  refuse.when(plan.offload != Offload::none, "offload=optimizer is not there; valid: offload=none");
  refuse.when(!is_recomputed_alike(plan), recomputed_part(plan),
              " are computed again, which is not there; valid: --fix recompute=none, selective or "
              "full, of all layers");
  refuse.when(mesh.pp > 1 && !is_split_evenly(plan), "layers_per_stage: ", plan.model.num_layers,
              " layers on ", plan.num_stages(),
              " stages are uneven; valid: a number of stages that divides the layers, and --fix "
              "layers=...+... of equal numbers");
  refuse.when(plan.moe_capacity_factor > 0, "moe_capacity_factor is not there; valid: 0");
  refuse_single_rank_schedule(plan, refuse);
  refuse.raise();
}

std::string parallelism(const Plan& plan) {
  const Mesh& mesh = plan.mesh;
  const bool is_sharded = plan.zero_stage >= 2;
  std::string toml = "[parallelism]\n";
  const auto set = [&toml](const char* key, const auto& value) {
    toml += concat(key, " = ", value, "\n");
  };
  const int64_t replicas = is_sharded ? num_shard_groups(plan) : mesh.dp;
  set("data_parallel_replicate_degree", replicas);
  set("data_parallel_shard_degree", mesh.dp / replicas);
  set("fsdp_reshard_after_forward", plan.zero_stage == 3 ? "\"always\"" : "\"never\"");
  set("tensor_parallel_degree", mesh.tp);
  set("context_parallel_degree", mesh.cp);
  if (mesh.cp > 1) set("context_parallel_rotate_method", "\"alltoall\"");
  set("pipeline_parallel_degree", mesh.pp);
  if (mesh.pp > 1) {
    set("pipeline_parallel_schedule", concat("\"", torchtitan_schedule(plan.schedule), "\""));
    set("pipeline_parallel_microbatch_size", plan.micro_batch);
    set("pipeline_parallel_layers_per_stage", plan.layers_per_stage.front());
    set("pipeline_parallel_first_stage_less_layers", 0);
    set("pipeline_parallel_last_stage_less_layers", 0);
  }
  if (plan.model.has_moe()) {
    set("expert_parallel_degree", mesh.ep);
    set("expert_tensor_parallel_degree", mesh.etp);
  }
  return toml;
}

// Of the blocks' Linears and experts: embedding, head and router stay in bf16.
std::string converters(const Plan& plan) {
  if (plan.precision != Precision::fp8) return "";
  const bool has_moe = plan.model.has_moe();
  return concat("converters = [\"", kFloat8Linears, has_moe ? concat("\", \"", kFloat8Experts) : "",
                "\"]\n");
}

std::string converter_options(const Plan& plan) {
  if (plan.precision != Precision::fp8) return "";
  const bool has_moe = plan.model.has_moe();
  return concat("\n[", kFloat8Linears, "]\nfilter_fqns = [\"output\"",
                has_moe ? ", \"router.gate\"" : "", "]\n",
                has_moe ? concat("\n[", kFloat8Experts, "]\nfqns = [\"experts\"]\n") : "");
}

}  // namespace

std::string torchtitan_toml(const Plan& plan) {
  refuse(plan);
  const TorchtitanFlavor& flavor = *find_torchtitan_flavor(plan.model);
  // With a pipeline all micro-batches of a step are one local batch, else they are accumulated.
  const int64_t local = plan.mesh.pp > 1 ? plan.global_batch / plan.mesh.dp : plan.micro_batch;
  const char* dtype = plan.precision == Precision::fp32 ? "float32" : "bfloat16";
  return concat(
      "# torchtitan v0.2 (0.2.0 to 0.2.2). Since February 2026 its main branch has jobs in Python\n"
      "# (config_registry.py) instead.\n[model]\nname = \"",
      flavor.name, "\"\nflavor = \"", flavor.flavor, "\"\n", converters(plan),
      "\n[optimizer]\nname = \"AdamW\"\n\n[training]\nlocal_batch_size = ", local,
      "\nglobal_batch_size = ", plan.global_batch, "\nseq_len = ", plan.seq_len,
      "\nmixed_precision_param = \"", dtype,
      "\"\nmixed_precision_reduce = \"float32\"\nseed = ", plan.seed, "\n\n", parallelism(plan),
      "\n[activation_checkpoint]\nmode = \"", to_string(plan.recompute.front()), "\"\n",
      plan.recompute.front() == Recompute::selective ? "selective_ac_option = \"op\"\n" : "",
      converter_options(plan));
}

}  // namespace argosy
