// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/layer_costs.h"

#include <algorithm>
#include <utility>

#include "planner/cost/stack_pass.h"
#include "planner/cost/stack_work.h"
#include "planner/spec/cpu_scratch.h"
#include "planner/spec/gpu_scratch.h"

namespace argosy {

namespace {

size_t index(LayerKind kind) {
  return static_cast<size_t>(kind);
}

// What the host of another framework launches for a router beside the ops of planner/spec: top-k,
// masks, probabilities, auxiliary loss, counts, permutations, one small kernel each. An estimate:
// Qwen3-30B-A3B, where the host is the slower one (9 ms a layer on H100 and on B200 alike), then
// asks for as much of an op as dense models do (40 to 55 us: vTrain's, Transformers').
constexpr double kRoutingForwardLaunches = 60, kRoutingBackwardLaunches = 90;

bool routes_tokens(size_t kind) {
  return base_kind(kind) == LayerKind::moe || base_kind(kind) == LayerKind::windowed_moe;
}

// One block of each kind, that of the last layer at the end: modules behind it are as it is.
void keep_one_block_of_each_kind(ModelSpec& model) {
  std::vector<int64_t> kept = {model.num_layers - 1};
  for (int64_t layer = model.num_layers - 1; layer-- > 0;) {
    const auto is_same = [&](int64_t other) {
      return kind_of_layer(model, layer) == kind_of_layer(model, other);
    };
    if (std::none_of(kept.begin(), kept.end(), is_same)) kept.insert(kept.begin(), layer);
  }
  std::vector<bool> is_moe, is_windowed;
  for (const int64_t layer : kept) {
    is_moe.push_back(model.layer_is_moe[static_cast<size_t>(layer)]);
    is_windowed.push_back(model.is_windowed(layer));
  }
  if (!model.windowed_layers.empty()) model.windowed_layers = is_windowed;
  model.layer_is_moe = is_moe;
  model.num_layers = static_cast<int64_t>(kept.size());
}

// One layer of each kind that the model has, on one pipeline stage. dp is the smallest that holds
// the experts' grid: nothing that is asked of the probe depends on it.
Plan probe_plan(const Job& job, const Candidate& candidate) {
  Candidate probe = candidate;
  probe.mesh.pp = 1;
  probe.schedule = ScheduleKind::one_f_one_b;
  probe.virtual_stages = 1;
  probe.layers_per_stage.clear();
  probe.layer_recompute.clear();
  probe.mesh.zero_shard = 0;
  probe.mesh.dp = 1;
  while (probe.mesh.stage_size() % (probe.mesh.ep * probe.mesh.etp) != 0) ++probe.mesh.dp;
  Job small;
  small.model = job.model;
  keep_one_block_of_each_kind(small.model);
  small.cluster.name = job.cluster.name;
  small.seq_len = job.seq_len;
  small.global_batch = probe.mesh.dp * probe.micro_batch;
  small.task = job.task;
  small.lora = job.lora;
  small.optimizer = job.optimizer;
  small.precision = job.precision;
  return to_plan(small, probe);
}

// A device of a CPU's file is a core; ranks that are fewer share the others, as argosy-launch binds
// them.
int64_t threads_of_rank(const ClusterSpec& cluster) {
  return std::max<int64_t>(1, cluster.devices_per_node / cluster.num_devices);
}

// Of the rank whose experts are asked for most.
std::vector<LayerWork> probe_work(const Job& job, const Plan& probe) {
  return stage_work(probe, 0, 0, expert_load(job.moe_imbalance, probe.moe_capacity_factor));
}

}  // namespace

LayerKind kind_of_layer(const ModelSpec& model, int64_t layer) {
  if (layer < 0) return LayerKind::embedding;
  if (layer == model.num_layers) return LayerKind::head;
  if (layer > model.num_layers) return LayerKind::mtp;
  const bool is_moe = model.layer_is_moe[static_cast<size_t>(layer)];
  const bool is_other_kind = !model.windowed_layers.empty() && model.is_windowed(layer);
  if (is_other_kind) return is_moe ? LayerKind::windowed_moe : LayerKind::windowed_dense;
  return is_moe ? LayerKind::moe : LayerKind::dense;
}

LayerWorks layer_works(const Job& job, const Candidate& candidate) {
  const Plan probe = probe_plan(job, candidate);
  LayerWorks works;
  for (LayerWork& work : probe_work(job, probe)) {
    if (job.stack.facts.recomputes_whole_blocks) append(work.backward, work.unread);
    for (Pass* pass : {&work.forward, &work.backward, &work.backward_weight}) {
      rewrite_for_stack(job, *pass);
    }
    if (job.cluster.device == Device::cpu) {
      work.workspace_bytes += cpu_scratch(probe, work, threads_of_rank(job.cluster)).most_bytes();
    } else if (job.stack.facts.is_own) {
      work.workspace_bytes +=
          ordered_attention_bytes(probe, work, job.cluster.accelerator.memory_bytes);
    }
    works[index(kind_of_layer(probe.model, work.layer))] = std::move(work);
  }
  return works;
}

LayerCosts cost_layers(const Job& job, const Candidate& candidate, const LayerWorks& works) {
  const SeenAccelerator seen(job);
  LayerCosts costs;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    const LayerWork& work = works[kind];
    LayerCost& cost = costs[kind];
    const Recompute recompute =
        kind < kNumBaseKinds ? candidate.recompute : static_cast<Recompute>(kind / kNumBaseKinds);
    const auto ops = [&](const Pass& pass, bool is_backward) {
      return pass_ops(job, seen, recompute, candidate.mesh.tp, pass, is_backward);
    };
    const PassOps forward = ops(work.forward, false), backward = ops(work.backward, true);
    cost.forward_s = forward.seconds();
    cost.backward_s = backward.seconds();
    cost.backward_weight_s = ops(work.backward_weight, true).seconds();
    cost.forward_hiding = hiding_of(forward, candidate.mesh.cp);
    cost.backward_hiding = hiding_of(backward, candidate.mesh.cp);
    cost.forward_launches = forward.num_launches;
    cost.backward_launches = backward.num_launches;
    if (routes_tokens(kind) && !job.stack.facts.is_own) {
      cost.forward_launches += kRoutingForwardLaunches;
      cost.backward_launches += kRoutingBackwardLaunches;
    }
    cost.backward_input_extra_bytes = work.backward_input_extra_bytes;
    cost.deferred_bytes = work.deferred_bytes;
    cost.forward_collectives = work.forward.collectives;
    cost.backward_collectives = work.backward.collectives;
    cost.saved_bytes = work.saved_bytes;
    cost.routed_bytes = work.routed_bytes;
    cost.recomputed_bytes = work.backward_extra_bytes;
    cost.workspace_bytes = work.workspace_bytes;
  }
  return costs;
}

ElementTable count_elements(const Job& job, const Candidate& candidate) {
  const Plan probe = probe_plan(job, candidate);
  const std::vector<TensorSpec> tensors = model_tensors(probe.model, probe.lora);
  ElementTable table;
  for (const LocalTensor& local : rank_layout(probe, tensors, 0).tensors) {
    const TensorSpec& tensor = tensors[static_cast<size_t>(local.tensor)];
    LayerElements& elements = table[index(kind_of_layer(probe.model, tensor.layer))];
    auto& buckets = tensor.shard == Shard::vocab ? elements.table : elements.layer;
    BucketElements& bucket = buckets[static_cast<size_t>(local.domain)];
    bucket.size += local.box.size();
    bucket.products.add(tensor, local.box);
    if (local.gradient_sum == GradientSum::tp) bucket.tp_summed += local.box.size();
    if (local.gradient_sum == GradientSum::kv_replica) bucket.kv_summed += local.box.size();
  }
  for (size_t kind = kNumBaseKinds; kind < kNumLayerKinds; ++kind) {
    table[kind] = table[index(base_kind(kind))];
  }
  return table;
}

Hiding hiding_of(const PassOps& ops, int64_t cp) {
  const double others = static_cast<double>(cp - 1) / static_cast<double>(cp);
  return {ops.attention_s() * others, ops.products_s(), ops.seconds()};
}

std::vector<StageLayers> stage_layers(const ModelSpec& model, int64_t num_stages) {
  Candidate candidate;
  candidate.mesh.pp = num_stages;
  return stage_layers(model, candidate);
}

std::vector<StageLayers> stage_layers(const ModelSpec& model, const Candidate& candidate) {
  const std::vector<int64_t> counts =
      candidate.layers_per_stage.empty()
          ? default_layers_per_stage(model.num_layers, candidate.num_stages())
          : candidate.layers_per_stage;
  std::vector<StageLayers> stages;
  stages.reserve(counts.size());
  int64_t layer = 0;
  for (int64_t count : counts) {
    StageLayers& layers = stages.emplace_back();
    for (int64_t i = 0; i < count; ++i, ++layer) {
      const Recompute recompute = candidate.layer_recompute.empty()
                                      ? Recompute::none
                                      : candidate.layer_recompute[static_cast<size_t>(layer)];
      ++layers[index(with_recompute(kind_of_layer(model, layer), recompute))];
    }
  }
  stages.front()[index(LayerKind::embedding)] = 1;
  stages.back()[index(LayerKind::head)] = 1;
  const Recompute last =
      candidate.layer_recompute.empty() ? Recompute::none : candidate.layer_recompute.back();
  stages.back()[index(with_recompute(LayerKind::mtp, last))] = model.num_mtp_modules;
  return stages;
}

namespace {

// The kinds of blocks that are computed again.
void add_recomputed(const Job& job, Candidate candidate, LayerCosts& costs) {
  for (const Recompute recompute : {Recompute::selective, Recompute::full}) {
    candidate.recompute = recompute;
    LayerCosts again = cost_layers(job, candidate, layer_works(job, candidate));
    for (size_t kind = 0; kind < kNumBaseKinds; ++kind) {
      costs[index(with_recompute(static_cast<LayerKind>(kind), recompute))] =
          std::move(again[kind]);
    }
  }
}

}  // namespace

LayerCostCache::CostKey LayerCostCache::key_of(const Candidate& c) {
  return {c.mesh.tp,           c.mesh.cp, c.mesh.ep,   c.mesh.etp,           c.micro_batch,
          c.sequence_parallel, c.cp_kind, c.recompute, c.moe_capacity_factor};
}

const LayerCosts& LayerCostCache::costs(const Candidate& c) {
  const CostKey key = key_of(c);
  const std::lock_guard lock(mutex_);
  const auto found = costs_.find(key);
  if (found != costs_.end()) return found->second;
  const auto plain = plain_costs_.find(key);
  LayerCosts costs =
      plain != plain_costs_.end() ? plain->second : cost_layers(job_, c, layer_works(job_, c));
  if (c.recompute == Recompute::none) add_recomputed(job_, c, costs);
  return costs_.emplace(key, std::move(costs)).first->second;
}

const LayerCosts& LayerCostCache::plain_costs(const Candidate& c) {
  const CostKey key = key_of(c);
  const std::lock_guard lock(mutex_);
  if (const auto found = costs_.find(key); found != costs_.end()) return found->second;
  const auto found = plain_costs_.find(key);
  if (found != plain_costs_.end()) return found->second;
  return plain_costs_.emplace(key, cost_layers(job_, c, layer_works(job_, c))).first->second;
}

const ElementTable& LayerCostCache::elements(const Candidate& c) {
  if (same_network_ != nullptr) return same_network_->elements(c);
  const ElementKey key{c.mesh.tp, c.mesh.ep, c.mesh.etp, c.sequence_parallel};
  const std::lock_guard lock(mutex_);
  const auto found = elements_.find(key);
  if (found != elements_.end()) return found->second;
  return elements_.emplace(key, count_elements(job_, c)).first->second;
}

}  // namespace argosy
