// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/memory.h"

#include <algorithm>
#include <numeric>

#include "planner/cost/activations.h"
#include "planner/cost/offload.h"
#include "planner/cost/stack_memory.h"
#include "planner/cost/zero_memory.h"

namespace argosy {

namespace {

// Held outside of what is saved: the tensor that flows between layers, its gradient, and one
// message on the way.
constexpr int64_t kFlowingTensors = 3;
// Norm and clipping of other frameworks read the gradient in passes of their own.
constexpr int64_t kClipBytesPerElement = 8;

int64_t& category(MemoryBytes& bytes, MemoryCategory c) {
  return bytes[static_cast<size_t>(c)];
}

// State of the buckets of a stage: the same on all its ranks up to an element a bucket; the first
// rank has the most.
void add_state(const Job& job, const Candidate& candidate, const std::vector<StageBucket>& buckets,
               StageMemory& memory) {
  MemoryBytes& bytes = memory.bytes;
  const int64_t gradient = size_in_bytes(gradient_dtype(job.precision));
  for (const StageBucket& bucket : buckets) {
    const auto kept = [&](int from_stage) {
      const bool in_shards = is_in_shards(candidate, from_stage, bucket.domain);
      return in_shards ? bucket.shard_elements(candidate) : bucket.elements.size;
    };
    category(bytes, MemoryCategory::parameters) +=
        bucket.count * stored_bytes(job.precision, job.lora, !is_trainable(bucket.domain),
                                    bucket.elements.size, bucket.elements.products, kept(3));
    if (!is_trainable(bucket.domain)) continue;
    category(bytes, MemoryCategory::gradients) += bucket.count * kept(2) * gradient;
    const int64_t owned = bucket.count * bucket.shard_elements(candidate);
    if (candidate.offload == Offload::optimizer) {
      memory.host_bytes += owned * host_bytes_per_element(job);
    } else {
      category(bytes, MemoryCategory::optimizer) += owned * state_bytes_per_element(job);
    }
  }
}

// What ZeRO 2 and 3 hold of a layer or two while they run.
void add_temporaries(const Job& job, const Candidate& candidate, const StageLayers& layers,
                     const ElementTable& table, MemoryBytes& bytes) {
  const bool is_repeated = num_microbatches(job, candidate) > 1;
  category(bytes, MemoryCategory::gradients) +=
      unreduced_gradient_elements(candidate, layers, table, is_repeated) *
      size_in_bytes(gradient_dtype(job.precision));
  category(bytes, MemoryCategory::buffers) += gathered_value_elements(candidate, layers, table) *
                                              size_in_bytes(compute_dtype(job.precision));
}

int64_t rank_of_stage(const Candidate& candidate, size_t stage) {
  return pipeline_rank_of_stage(candidate.schedule, candidate.mesh.pp, static_cast<int64_t>(stage));
}

int64_t buffer_bytes(const Job& job, const Candidate& candidate) {
  const int64_t tokens = candidate.micro_batch * job.seq_len / candidate.mesh.cp;
  const int64_t ids = 2 * tokens * size_in_bytes(DType::int32);  // inputs and targets
  const int64_t rows = candidate.sequence_parallel ? tokens / candidate.mesh.tp : tokens;
  const int64_t row = job.model.hidden_size * size_in_bytes(compute_dtype(job.precision));
  return ids + kFlowingTensors * rows * row;
}

}  // namespace

namespace {

Plan plan_of_elements(const Job& job) {
  Plan plan;
  plan.precision = job.precision;
  plan.optimizer = job.optimizer;
  return plan;
}

}  // namespace

int64_t whole_state_bytes_per_element(const Job& job) {
  return checkpoint_bytes_per_element(plan_of_elements(job)) -
         size_in_bytes(compute_dtype(job.precision));
}

int64_t state_bytes_per_element(const Job& job) {
  return optimizer_bytes_per_element(plan_of_elements(job));
}

int64_t whole_update_bytes_per_element(const Job& job) {
  const int64_t weight = size_in_bytes(compute_dtype(job.precision));
  const int64_t read_weight = has_master_weights(job.precision) ? 0 : weight;
  return size_in_bytes(gradient_dtype(job.precision)) + weight + read_weight +
         2 * whole_state_bytes_per_element(job) +
         (job.stack.facts.is_own ? 0 : kClipBytesPerElement);
}

int64_t update_bytes_per_element(const Job& job) {
  if (!job.stack.facts.is_own) return whole_update_bytes_per_element(job);
  return update_traffic_bytes(plan_of_elements(job), 1);
}

int64_t StageBucket::shard_elements(const Candidate& candidate) const {
  if (candidate.zero_stage == 0) return elements.size;
  return split_range(elements.size, degree(candidate.mesh, shard_axis(candidate.mesh, domain)), 0)
      .size();
}

namespace {

int64_t num_mtp_modules(const StageLayers& layers) {
  int64_t count = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    if (base_kind(kind) == LayerKind::mtp) count += layers[kind];
  }
  return count;
}

}  // namespace

std::vector<StageBucket> stage_buckets(const StageLayers& layers, const ElementTable& table,
                                       bool is_copy, bool is_tied) {
  std::vector<StageBucket> buckets;
  const auto at = [](LayerKind kind) { return static_cast<size_t>(kind); };
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    const bool is_embedding = kind == static_cast<size_t>(LayerKind::embedding);
    if (layers[kind] == 0 && !(is_copy && is_embedding)) continue;
    for (size_t d = 0; d < kNumDomains; ++d) {
      const auto add = [&](StageBucket bucket) {
        bucket.domain = static_cast<Domain>(d);
        if (bucket.elements.size > 0 && bucket.count > 0) buckets.push_back(bucket);
      };
      StageBucket layer;
      layer.elements = table[kind].layer[d];
      layer.count = layers[kind];
      layer.value_uses = is_embedding ? 1 : 2;  // its backward reads no values
      add(layer);
      StageBucket vocabulary;
      vocabulary.elements = table[kind].table[d];
      vocabulary.count = layers[kind] + (is_copy && is_embedding ? 1 : 0);
      vocabulary.is_tied_table = is_tied && is_embedding;
      // A tied head has no table of its own; modules for multi-token prediction use both ends'.
      const bool is_tied_head = is_embedding && &head_table(table) == &table[kind];
      const int64_t num_modules = num_mtp_modules(layers);
      const int64_t num_heads = layers[at(LayerKind::head)] + num_modules;
      vocabulary.gradient_uses = vocabulary.value_uses =
          is_embedding
              ? layers[at(LayerKind::embedding)] + num_modules + (is_tied_head ? num_heads : 0)
              : num_heads;
      add(vocabulary);
    }
  }
  return buckets;
}

int64_t in_flight(ScheduleKind schedule, int64_t num_stages, int64_t num_microbatches,
                  int64_t stage) {
  if (schedule == ScheduleKind::gpipe) return num_microbatches;
  return std::min(num_microbatches, num_stages - stage);
}

namespace {

// The share of what is saved that is rows of experts.
int64_t routed_bytes(const StageLayers& layers, const LayerCosts& costs, int64_t activation_bytes) {
  int64_t saved = 0, routed = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    saved += layers[kind] * costs[kind].saved_bytes;
    routed += layers[kind] * costs[kind].routed_bytes;
  }
  if (routed == 0) return 0;
  return static_cast<int64_t>(static_cast<double>(activation_bytes) * static_cast<double>(routed) /
                              static_cast<double>(saved));
}

int64_t sum_of(const MemoryBytes& bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), int64_t{0});
}

StageMemory state_memory(const Job& job, const Candidate& candidate, const StageLayers& layers,
                         bool is_copy, const ElementTable& elements) {
  StageMemory memory;
  add_state(job, candidate, stage_buckets(layers, elements, is_copy, is_copy), memory);
  add_temporaries(job, candidate, layers, elements, memory.bytes);
  memory.total_bytes = sum_of(memory.bytes);
  return memory;
}

int64_t workspace_bytes(const StageLayers& layers, const LayerCosts& costs) {
  int64_t most = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    if (layers[kind] > 0) most = std::max(most, costs[kind].workspace_bytes);
  }
  return most;
}

}  // namespace

StateBytes lasting_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                         bool is_copy, const ElementTable& elements) {
  StageMemory memory;
  add_state(job, candidate, stage_buckets(layers, elements, is_copy, is_copy), memory);
  return {sum_of(memory.bytes), memory.host_bytes};
}

int64_t temporary_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                        const ElementTable& elements) {
  MemoryBytes bytes{};
  add_temporaries(job, candidate, layers, elements, bytes);
  return sum_of(bytes);
}

StateBytes state_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                       bool is_copy, const ElementTable& elements) {
  StateBytes bytes = lasting_bytes(job, candidate, layers, is_copy, elements);
  bytes.on_device += temporary_bytes(job, candidate, layers, elements);
  return bytes;
}

int64_t passing_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                      const LayerCosts& costs) {
  return buffer_bytes(job, candidate) + workspace_bytes(layers, costs);
}

StageLayers layers_of_rank(const Candidate& candidate, const std::vector<StageLayers>& stages,
                           int64_t pipeline_rank) {
  StageLayers all{};
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    if (rank_of_stage(candidate, stage) != pipeline_rank) continue;
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) all[kind] += stages[stage][kind];
  }
  return all;
}

std::vector<StageLayers> layers_of_ranks(const Candidate& candidate,
                                         const std::vector<StageLayers>& stages) {
  std::vector<StageLayers> ranks(static_cast<size_t>(candidate.mesh.pp));
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    StageLayers& rank = ranks[static_cast<size_t>(rank_of_stage(candidate, stage))];
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) rank[kind] += stages[stage][kind];
  }
  return ranks;
}

bool holds_copy(const ModelSpec& model, const Candidate& candidate, size_t num_stages,
                int64_t pipeline_rank) {
  return model.needs_embedding_at_end() &&
         rank_of_stage(candidate, num_stages - 1) == pipeline_rank &&
         rank_of_stage(candidate, 0) != pipeline_rank;
}

namespace {

// A rank, and what it holds in all.
struct IdleRank {
  StageMemory memory;
  StageLayers layers;
};

StageMemory with_activations(const IdleRank& rank, const LayerCosts& costs, int64_t bytes) {
  StageMemory memory = rank.memory;
  category(memory.bytes, MemoryCategory::activations) = bytes;
  memory.total_bytes += bytes;
  memory.routed_bytes = routed_bytes(rank.layers, costs, bytes);
  return memory;
}

IdleRank idle_rank(const Job& job, const Candidate& candidate,
                   const std::vector<StageLayers>& stages, int64_t pipeline_rank,
                   const ElementTable& elements, const LayerCosts& costs) {
  const StageLayers layers = layers_of_rank(candidate, stages, pipeline_rank);
  StageMemory memory =
      state_memory(job, candidate, layers,
                   holds_copy(job.model, candidate, stages.size(), pipeline_rank), elements);
  memory.stage = pipeline_rank;
  category(memory.bytes, MemoryCategory::buffers) += buffer_bytes(job, candidate);
  category(memory.bytes, MemoryCategory::workspace) = workspace_bytes(layers, costs);
  memory.total_bytes = sum_of(memory.bytes);
  return {memory, layers};
}

}  // namespace

StageMemory stage_memory(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, int64_t stage,
                         const ElementTable& elements, const LayerCosts& costs) {
  const int64_t alive = in_flight(candidate.schedule, static_cast<int64_t>(stages.size()),
                                  num_microbatches(job, candidate), stage);
  const StageActivations kept = stage_activations(stages[static_cast<size_t>(stage)], costs);
  return with_activations(idle_rank(job, candidate, stages, stage, elements, costs), costs,
                          plain_activation_bytes(kept, alive));
}

StageMemory rank_memory(const Job& job, const Candidate& candidate,
                        const std::vector<StageLayers>& stages, int64_t pipeline_rank,
                        const std::vector<Action>& actions, const ElementTable& elements,
                        const LayerCosts& costs) {
  return with_activations(idle_rank(job, candidate, stages, pipeline_rank, elements, costs), costs,
                          activation_bytes(stage_activations(stages, costs), actions));
}

namespace {

StageMemory fullest_rank(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, const ElementTable& elements,
                         const LayerCosts& costs, ShortSchedules& schedules) {
  const ShortSchedule& schedule =
      schedules.get(candidate.schedule, candidate.mesh.pp, num_microbatches(job, candidate),
                    candidate.virtual_stages);
  const std::vector<StageActivations> kept = stage_activations(stages, costs);
  StageMemory fullest;
  for (int64_t rank = 0; rank < candidate.mesh.pp; ++rank) {
    const StageMemory memory =
        with_activations(idle_rank(job, candidate, stages, rank, elements, costs), costs,
                         activation_bytes(kept, schedule.orders[static_cast<size_t>(rank)]));
    if (memory.total_bytes > fullest.total_bytes) fullest = memory;
  }
  return fullest;
}

}  // namespace

StageMemory fullest_stage(const Job& job, const Candidate& candidate,
                          const std::vector<StageLayers>& stages, const ElementTable& elements,
                          const LayerCosts& costs, ShortSchedules* schedules) {
  ShortSchedules own;
  if (schedules == nullptr) schedules = &own;
  if (job.stack.keeps_memory) {
    return stack_memory(job, candidate, stages, elements, costs, *schedules);
  }
  if (!is_plain(candidate.schedule)) {
    return fullest_rank(job, candidate, stages, elements, costs, *schedules);
  }
  StageMemory fullest;
  for (int64_t stage = 0; stage < static_cast<int64_t>(stages.size()); ++stage) {
    // Later stages of equal layers hold fewer micro-batches.
    if (stage > 1 && stages[static_cast<size_t>(stage)] == stages[static_cast<size_t>(stage - 1)]) {
      continue;
    }
    const StageMemory memory = stage_memory(job, candidate, stages, stage, elements, costs);
    if (memory.total_bytes > fullest.total_bytes) fullest = memory;
  }
  return fullest;
}

}  // namespace argosy
