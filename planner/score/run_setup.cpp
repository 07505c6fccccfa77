// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/run_setup.h"

#include <algorithm>
#include <cmath>
#include <regex>

#include "planner/spec/check.h"
#include "planner/spec/work.h"

namespace argosy {

namespace {

// Products in parts over symmetric memory (PyTorch's asynchronous tensor parallelism) hide as much
// as Transformer Engine's user buffers, which the profiles of NVIDIA's frameworks have.
constexpr double kAsyncTensorOverlap = 0.7;
constexpr int64_t kDefaultLoraRank = 16;
constexpr int64_t kLargestTriedMicroBatch = 8;
constexpr int64_t kMostTriedVirtualStages = 12;

ProductFormat format_of(const std::string& precision) {
  if (precision.starts_with("bf16") || precision == "fp16") return ProductFormat::bf16;
  if (precision == "fp8") return ProductFormat::fp8;
  if (precision == "mxfp8") return ProductFormat::mxfp8;
  if (precision == "nvfp4") return ProductFormat::nvfp4;
  throw ConfigError(concat("precision '", precision, "'"));
}

LoraSpec lora_of(const PublishedRun& run, const StackProfile& stack) {
  LoraSpec lora;
  if (run.task != "lora") return lora;
  std::smatch match;
  const bool named = std::regex_search(run.notes, match, std::regex("rank (\\d+)"));
  lora.rank = named ? std::stoll(match[1]) : kDefaultLoraRank;
  lora.targets = stack.adapter_targets;
  return lora;
}

// Of a mixture whose ep is not stated: the most ranks of a stage that can each hold as many
// experts.
int64_t spread_experts(int64_t num_experts, int64_t num_ranks) {
  int64_t most = 1;
  for (const int64_t ep : divisors(num_ranks)) {
    if (num_experts % ep == 0) most = ep;
  }
  return most;
}

Mesh mesh_of(const PublishedRun& run, const StackProfile& stack) {
  if (!run.tp || !run.pp || !run.dp) throw ConfigError("the row does not give tp, pp and dp");
  Mesh mesh;
  mesh.tp = *run.tp;
  mesh.pp = *run.pp;
  mesh.dp = *run.dp;
  mesh.cp = run.cp.value_or(1);
  mesh.ep = run.ep.value_or(1);
  if (!run.ep && run.experts && stack.spreads_experts) {
    mesh.ep = spread_experts(*run.experts, mesh.stage_size());
  }
  mesh.etp = run.etp.value_or(mesh.ep > 1 || run.arch != "moe" ? 1 : mesh.tp);
  if (mesh.world_size() != *run.num_gpus) {
    throw ConfigError(concat("tp*pp*cp*dp is ", mesh.world_size(), ", not ", *run.num_gpus));
  }
  if (mesh.stage_size() % (mesh.ep * mesh.etp) != 0) {
    throw ConfigError("etp*ep does not divide the ranks of a stage");
  }
  return mesh;
}

std::vector<int64_t> micro_batches(const PublishedRun& run, const StackProfile& stack,
                                   int64_t per_rank) {
  if (run.micro_batch) return {*run.micro_batch};
  if (stack.micro_batch) return {*stack.micro_batch};
  std::vector<int64_t> sizes;
  for (const int64_t size : divisors(per_rank)) {
    if (size <= kLargestTriedMicroBatch) sizes.push_back(size);
  }
  return sizes;
}

std::vector<int64_t> virtual_stages(const PublishedRun& run, const StackProfile& stack,
                                    const Mesh& mesh) {
  if (mesh.pp == 1) return {1};
  if (run.vpp) return {*run.vpp};
  if (stack.virtual_stages) return {*stack.virtual_stages};
  std::vector<int64_t> all;
  // Embedding and head count as a layer each where the layers divide so (Llama 3 405B: 126).
  const int64_t layers = *run.layers, slots = layers + 2;
  for (int64_t v = 1; v <= std::min(kMostTriedVirtualStages, slots / mesh.pp); ++v) {
    const int64_t num_stages = mesh.pp * v;
    if (v == 1 || layers % num_stages == 0 || slots % num_stages == 0) all.push_back(v);
  }
  return all.empty() ? std::vector<int64_t>{1} : all;
}

// "recomputes 5 of 32 layers fully": the first 5.
std::vector<Recompute> recompute_of_layers(const PublishedRun& run) {
  std::smatch match;
  const std::regex text("recomputes (\\d+) of (\\d+) layers fully");
  if (!run.recompute.empty() || !std::regex_search(run.notes, match, text)) return {};
  const int64_t layers = *run.layers, again = std::min<int64_t>(std::stoll(match[1]), layers);
  std::vector<Recompute> all(static_cast<size_t>(layers), Recompute::none);
  std::fill_n(all.begin(), again, Recompute::full);
  return all;
}

std::vector<Recompute> recomputes(const PublishedRun& run, const StackProfile& stack) {
  if (!run.recompute.empty()) return {recompute_from_string(run.recompute, "recompute")};
  if (!recompute_of_layers(run).empty()) return {Recompute::none};
  if (stack.recompute) return {*stack.recompute};
  return {Recompute::none, Recompute::selective, Recompute::full};
}

void add_candidates(const PublishedRun& run, const StackProfile& stack, RunSetup& setup) {
  Candidate candidate;
  candidate.mesh = mesh_of(run, stack);
  candidate.sequence_parallel =
      candidate.mesh.tp > 1 &&
      run.seq_parallel.value_or(stack.sequence_parallel.value_or(run.arch == "moe"));
  candidate.layer_recompute = recompute_of_layers(run);
  candidate.zero_stage = static_cast<int>(run.zero_stage.value_or(stack.zero_stage.value_or(1)));
  const int64_t dp = candidate.mesh.dp, batch = setup.job.global_batch;
  for (const int64_t size : micro_batches(run, stack, std::max<int64_t>(1, batch / dp))) {
    for (const int64_t stages : virtual_stages(run, stack, candidate.mesh)) {
      for (const Recompute recompute : recomputes(run, stack)) {
        candidate.micro_batch = size;
        candidate.virtual_stages = stages;
        candidate.schedule = stages > 1 ? ScheduleKind::interleaved : ScheduleKind::one_f_one_b;
        candidate.recompute = recompute;
        if (batch % (dp * size) == 0) setup.candidates.push_back(candidate);
      }
    }
  }
  if (setup.candidates.empty()) {
    throw ConfigError(concat("dp*micro_batch does not divide the batch of ", batch));
  }
}

// Whether the source's FLOPs of a token are those of the model with a module for multi-token
// prediction, rather than those without.
bool counts_module(const PublishedRun& run, const RunSetup& setup) {
  std::smatch match;
  if (!setup.job.model.has_latent_attention() ||
      !std::regex_search(run.notes, match, std::regex("gflop_per_token=([0-9.]+)"))) {
    return false;
  }
  const double counted = std::stod(match[1]) * 1e9;
  Candidate whole = setup.candidates.front();
  whole.virtual_stages = 1;
  whole.schedule = ScheduleKind::one_f_one_b;
  Plan plan = to_plan(setup.job, whole);
  const auto distance = [&](int64_t num_modules) {
    plan.model.num_mtp_modules = num_modules;
    const double tokens = static_cast<double>(plan.tokens_per_step());
    return std::abs(model_flops_per_step(plan) / tokens / counted - 1);
  };
  return distance(1) < distance(0);
}

void check_divides(const ModelSpec& model, const Candidate& candidate) {
  if (model.num_heads % candidate.mesh.tp != 0) throw ConfigError("tp does not divide the heads");
  if (model.has_moe() && model.moe.num_experts % candidate.mesh.ep != 0) {
    throw ConfigError("ep does not divide the experts");
  }
  if (candidate.num_stages() > model.num_layers + 2) {
    throw ConfigError("more pipeline stages than layers");
  }
}

}  // namespace

RunSetup setup_of(const PublishedRun& run, const StackProfile& stack,
                  const std::vector<ClusterSpec>& accelerators) {
  RunSetup setup;
  if (!run.num_gpus) throw ConfigError("the row does not give num_gpus");
  Job& job = setup.job;
  job.stack.name = stack.name;
  job.stack.facts = stack.facts;
  job.stack.format = format_of(run.precision);
  if (run.notes_have("EP overlap off")) job.stack.facts.expert_overlap = 0;
  if (run.notes_have("async TP")) job.stack.facts.tensor_overlap = kAsyncTensorOverlap;
  if (run.notes_have("token drop") || run.notes_have("tokendrop")) {
    job.stack.facts.dispatches_once = false;  // those kernels know no capacity
  }
  job.model = model_of(run);
  job.cluster = cluster_of(run, accelerators);
  job.lora = lora_of(run, stack);
  const bool is_in_4_bits = run.precision.find("int4base") != std::string::npos ||
                            run.notes_have("QLoRA") || run.notes_have("Q-LoRA");
  if (is_in_4_bits) job.lora.base_bits = 4;
  job.stack.base.trains_tables = run.notes_have("LoRA (emb)");
  job.task = job.lora.rank > 0 ? Task::lora : Task::pretrain;
  job.seq_len = *run.seq_len;
  if (!run.global_batch_seqs) throw ConfigError("the row does not give the global batch");
  job.global_batch = *run.global_batch_seqs;
  if (job.stack.format != ProductFormat::bf16 && job.cluster.accelerator.fp8_flops_per_s == 0) {
    throw ConfigError(concat(run.gpu, " has no ", run.precision));
  }
  if (run.notes_have("CPU offload of the optimizer")) {
    throw ConfigError("optimizer and weights on the host");
  }
  add_candidates(run, stack, setup);
  if (counts_module(run, setup)) job.model.num_mtp_modules = 1;
  for (const Candidate& candidate : setup.candidates) check_divides(job.model, candidate);
  return setup;
}

}  // namespace argosy
