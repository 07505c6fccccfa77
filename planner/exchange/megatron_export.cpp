// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Flags of Megatron-LM's pretrain_gpt.py (megatron/training/arguments.py).
#include <algorithm>
#include <cmath>
#include <vector>

#include "planner/exchange/export.h"
#include "planner/exchange/megatron_model_export.h"
#include "planner/exchange/refuse.h"

namespace argosy {

namespace {

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
  refuse_megatron_model(plan.model, refuse);
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
  refuse.when(plan.model.moe.has_biases && plan.mesh.etp > 1, "etp=", plan.mesh.etp,
              " with biases of experts is not there; valid: --fix etp=1");
  refuse_single_rank_schedule(plan, refuse);
  refuse.raise();
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

void add_pipeline(const Plan& plan, MegatronLines& flags) {
  flags.add("--pipeline-model-parallel-size", plan.mesh.pp);
  if (plan.mesh.pp == 1) return;
  if (!is_split_evenly(plan)) {
    flags.add("--pipeline-model-parallel-layout", pipeline_layout(plan));
  } else if (plan.virtual_stages > 1) {
    flags.add("--num-layers-per-virtual-pipeline-stage", plan.layers_per_stage.front());
  }
}

void add_parallelism(const Plan& plan, MegatronLines& flags) {
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

// Where there is such traffic, and Megatron-LM takes the flags: parameters are gathered by the
// distributed optimizer alone, and beside compute only with gradients; products of one rank's part
// of a sequence are what tensor-parallel traffic is cut along.
void add_hidden_traffic(const Plan& plan, const HiddenTraffic& hidden, MegatronLines& flags) {
  const bool has_copies = plan.mesh.dp * plan.mesh.cp > 1;
  flags.add_if(has_copies && hidden.gradients, "--overlap-grad-reduce");
  flags.add_if(has_copies && hidden.gradients && hidden.parameters && plan.zero_stage >= 1,
               "--overlap-param-gather");
  flags.add_if(plan.sequence_parallel && hidden.tensors, "--tp-comm-overlap");
}

void add_recompute(const Plan& plan, MegatronLines& flags) {
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

void add_training(const Plan& plan, MegatronLines& flags) {
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

std::string megatron_flags(const Plan& plan, double tokens, const HiddenTraffic& hidden) {
  refuse(plan);
  MegatronLines flags;
  add_megatron_model(plan, flags);
  add_parallelism(plan, flags);
  add_hidden_traffic(plan, hidden, flags);
  add_training(plan, flags);
  if (tokens > 0) {
    const double samples = tokens / static_cast<double>(plan.seq_len);
    flags.add("--train-samples", std::max<int64_t>(1, std::llround(samples)));
  }
  return std::move(flags).text();
}

}  // namespace argosy
