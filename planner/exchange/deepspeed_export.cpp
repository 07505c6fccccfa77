// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// ds_config.json of DeepSpeed (deepspeed/runtime/config.py). The model, its pipeline stages and its
// experts are Python code there; what is left is data and tensor parallelism and ZeRO.
#include "planner/exchange/export.h"
#include "planner/exchange/refuse.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

// What argosy-train takes where nothing is said.
constexpr double kLearningRate = 3e-4, kBeta1 = 0.9, kBeta2 = 0.95, kEpsilon = 1e-8;
constexpr double kWeightDecay = 0.1, kClip = 1.0;

void refuse(const Plan& plan) {
  Refusal refuse("deepspeed");
  refuse.always_when(plan.task == Task::lora,
                     "task=lora is the model's code there; valid: --task pretrain or finetune");
  refuse.always_when(plan.precision == Precision::fp64 || plan.precision == Precision::fp8,
                     "precision=", to_string(plan.precision),
                     " is not there; valid: --precision bf16 or fp32");
  const Mesh& mesh = plan.mesh;
  refuse.when(mesh.pp > 1, "pp=", mesh.pp,
              ": pipeline stages are Python code there; valid: --fix pp=1");
  refuse.when(mesh.cp > 1 && plan.cp_kind == ContextParallel::ring, "cp=", mesh.cp,
              " cp_kind=ring is not there; valid: --fix cp=1 or cp_kind=ulysses");
  refuse.when(mesh.ep > 1 || mesh.etp > 1, "ep=", mesh.ep, " etp=", mesh.etp,
              ": experts' groups are Python code there; valid: --fix ep=1,etp=1");
  refuse.when(mesh.tp > 1 && plan.sequence_parallel, "sequence_parallel=1 with tp=", mesh.tp,
              " is not there; valid: --fix sequence_parallel=0 or tp=1");
  refuse.when(plan.offload != Offload::none && plan.zero_stage == 0,
              "offload=optimizer with zero=0 is not there; valid: --fix zero=1, 2 or 3");
  refuse.when(!is_recomputed_alike(plan), recomputed_part(plan),
              " are computed again, which is the model's code there; valid: --fix recompute=none "
              "or recompute=full, of all layers");
  refuse.when(is_recomputed_alike(plan) && plan.recompute.front() == Recompute::selective,
              "recompute=selective is the model's code there; valid: --fix recompute=none or full");
  refuse.when(num_shard_groups(plan) > 1 && plan.zero_stage != 3, "zero_shard=", mesh.zero_shard,
              " with zero=", plan.zero_stage, " is not there; valid: --fix zero=3 (MiCS)");
  refuse.when(plan.moe_capacity_factor > 0,
              "moe_capacity_factor is the model's code there; valid: 0");
  refuse_single_rank_schedule(plan, refuse);
  refuse.raise();
}

Json optimizer_json(const Plan& plan) {
  if (plan.optimizer == OptimizerKind::sgd) {
    return {{"type", "SGD"}, {"params", {{"lr", kLearningRate}, {"momentum", 0.0}}}};
  }
  return {{"type", "AdamW"},
          {"params",
           {{"lr", kLearningRate},
            {"betas", {kBeta1, kBeta2}},
            {"eps", kEpsilon},
            {"weight_decay", kWeightDecay}}}};
}

}  // namespace

std::string deepspeed_json(const Plan& plan) {
  refuse(plan);
  Json json = {{"train_batch_size", plan.global_batch},
               {"train_micro_batch_size_per_gpu", plan.micro_batch},
               {"gradient_accumulation_steps", plan.num_microbatches()},
               {"bf16", {{"enabled", plan.precision == Precision::bf16}}},
               {"data_types", {{"grad_accum_dtype", "fp32"}}},
               {"zero_optimization", {{"stage", plan.zero_stage}}},
               {"optimizer", optimizer_json(plan)},
               {"gradient_clipping", kClip},
               {"seed", plan.seed}};
  if (plan.zero_stage >= 2) {
    json["zero_optimization"]["overlap_comm"] = true;
    json["zero_optimization"]["contiguous_gradients"] = true;
  }
  if (plan.offload == Offload::optimizer) {
    json["zero_optimization"]["offload_optimizer"] = {{"device", "cpu"}, {"pin_memory", true}};
  }
  if (num_shard_groups(plan) > 1) {
    // Up to DeepSpeed 0.19, which then drops MiCS without a successor.
    json["zero_optimization"]["mics_shard_size"] = plan.mesh.zero_shard;
  }
  if (plan.mesh.tp > 1) json["tensor_parallel"] = {{"autotp_size", plan.mesh.tp}};
  if (plan.mesh.cp > 1) json["sequence_parallel_size"] = plan.mesh.cp;
  if (plan.recompute.front() == Recompute::full) {
    json["activation_checkpointing"] = {{"partition_activations", false},
                                        {"number_checkpoints", plan.model.num_layers}};
  }
  return json.dump(2) + "\n";
}

}  // namespace argosy
