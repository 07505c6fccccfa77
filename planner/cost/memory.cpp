// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/memory.h"

#include <algorithm>
#include <numeric>

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

// Saved by all micro-batches alive at once. Backward goes through the layers from the last one and
// frees as it goes, so that what the head and modules behind it kept is gone before a block runs
// again.
int64_t activation_peak_bytes(const StageLayers& layers, const LayerCosts& costs, int64_t alive) {
  constexpr auto kHead = static_cast<size_t>(LayerKind::head);
  int64_t saved = 0, behind_blocks = 0, recomputed = 0, recomputed_behind = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    if (layers[kind] == 0) continue;
    const int64_t bytes = layers[kind] * costs[kind].saved_bytes;
    saved += bytes;
    if (kind >= kHead) behind_blocks += bytes;
    int64_t& largest = kind >= kHead ? recomputed_behind : recomputed;
    largest = std::max(largest, costs[kind].recomputed_bytes);
  }
  return alive * saved + std::max(recomputed_behind, recomputed - behind_blocks);
}

// A rank's stages through its list of actions.
class Walk {
 public:
  Walk(const std::vector<StageLayers>& stages, const LayerCosts& costs)
      : stages_(stages), costs_(costs) {}

  int64_t peak_bytes(const std::vector<Action>& actions) {
    for (const Action& action : actions) {
      const StageLayers& layers = stages_[static_cast<size_t>(action.stage)];
      if (action.kind == ActionKind::forward) {
        add(sum(layers, &LayerCost::saved_bytes));
      } else if (action.kind == ActionKind::backward_weight) {
        alive_ -= sum(layers, &LayerCost::deferred_bytes);
      } else if (is_compute(action.kind)) {
        backward(layers, action.kind == ActionKind::backward_input);
      }
    }
    return peak_;
  }

 private:
  int64_t sum(const StageLayers& layers, int64_t LayerCost::*bytes) const {
    int64_t total = 0;
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
      total += layers[kind] * costs_[kind].*bytes;
    }
    return total;
  }
  void add(int64_t bytes) {
    alive_ += bytes;
    peak_ = std::max(peak_, alive_);
  }
  // From the head down; of mixed blocks one kind after the other.
  void backward(const StageLayers& layers, bool is_split) {
    for (size_t kind = kNumLayerKinds; kind-- > 0;) {
      const LayerCost& cost = costs_[kind];
      const int64_t extra = is_split ? cost.backward_input_extra_bytes : cost.recomputed_bytes;
      for (int64_t i = 0; i < layers[kind]; ++i) {
        peak_ = std::max(peak_, alive_ + extra);
        alive_ += (is_split ? cost.deferred_bytes : 0) - cost.saved_bytes;
      }
    }
  }

  const std::vector<StageLayers>& stages_;
  const LayerCosts& costs_;
  int64_t alive_ = 0, peak_ = 0;
};

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

int64_t buffer_bytes(const Job& job, const Candidate& candidate) {
  const int64_t tokens = candidate.micro_batch * job.seq_len / candidate.mesh.cp;
  const int64_t ids = 2 * tokens * size_in_bytes(DType::int32);  // inputs and targets
  const int64_t rows = candidate.sequence_parallel ? tokens / candidate.mesh.tp : tokens;
  const int64_t row = job.model.hidden_size * size_in_bytes(compute_dtype(job.precision));
  return ids + kFlowingTensors * rows * row;
}

}  // namespace

int64_t state_bytes_per_element(const Job& job) {
  Plan plan;
  plan.precision = job.precision;
  plan.optimizer = job.optimizer;
  return optimizer_bytes_per_element(plan);
}

int64_t update_bytes_per_element(const Job& job) {
  const int64_t weight = size_in_bytes(compute_dtype(job.precision));
  const int64_t read_weight = has_master_weights(job.precision) ? 0 : weight;
  return size_in_bytes(gradient_dtype(job.precision)) + weight + read_weight +
         2 * state_bytes_per_element(job) + (job.stack.facts.is_own ? 0 : kClipBytesPerElement);
}

int64_t StageBucket::shard_elements(const Candidate& candidate) const {
  if (candidate.zero_stage == 0) return elements.size;
  return split_range(elements.size, degree(candidate.mesh, shard_axis(candidate.mesh, domain)), 0)
      .size();
}

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
      const int64_t num_heads = layers[at(LayerKind::head)] + layers[at(LayerKind::mtp)];
      vocabulary.gradient_uses = vocabulary.value_uses =
          is_embedding ? layers[at(LayerKind::embedding)] + layers[at(LayerKind::mtp)] +
                             (is_tied_head ? num_heads : 0)
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

// Of what holds `layers`: a stage, or a rank with several. is_tied: the other end of the pipeline
// has the table too, and this one's is the copy.
StageMemory memory_of(const Job& job, const Candidate& candidate, const StageLayers& layers,
                      bool is_tied, const ElementTable& elements, const LayerCosts& costs,
                      int64_t activation_bytes) {
  StageMemory memory;
  add_state(job, candidate, stage_buckets(layers, elements, is_tied, is_tied), memory);
  int64_t workspace = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    if (layers[kind] > 0) workspace = std::max(workspace, costs[kind].workspace_bytes);
  }
  category(memory.bytes, MemoryCategory::activations) = activation_bytes;
  memory.routed_bytes = routed_bytes(layers, costs, activation_bytes);
  category(memory.bytes, MemoryCategory::buffers) = buffer_bytes(job, candidate);
  add_temporaries(job, candidate, layers, elements, memory.bytes);
  category(memory.bytes, MemoryCategory::workspace) = workspace;
  memory.total_bytes = std::accumulate(memory.bytes.begin(), memory.bytes.end(), int64_t{0});
  return memory;
}

}  // namespace

StageMemory stage_memory(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, int64_t stage,
                         const ElementTable& elements, const LayerCosts& costs) {
  const int64_t num_stages = static_cast<int64_t>(stages.size());
  const StageLayers& layers = stages[static_cast<size_t>(stage)];
  const bool is_copy = job.model.needs_embedding_at_end() && stage > 0 && stage == num_stages - 1;
  const int64_t alive =
      in_flight(candidate.schedule, num_stages, num_microbatches(job, candidate), stage);
  StageMemory memory = memory_of(job, candidate, layers, is_copy, elements, costs,
                                 activation_peak_bytes(layers, costs, alive));
  memory.stage = stage;
  return memory;
}

StageMemory rank_memory(const Job& job, const Candidate& candidate,
                        const std::vector<StageLayers>& stages, int64_t pipeline_rank,
                        const std::vector<Action>& actions, const ElementTable& elements,
                        const LayerCosts& costs) {
  const auto rank_of = [&](int64_t stage) {
    return pipeline_rank_of_stage(candidate.schedule, candidate.mesh.pp, stage);
  };
  const int64_t last = static_cast<int64_t>(stages.size()) - 1;
  StageLayers all{};
  for (int64_t stage = 0; stage <= last; ++stage) {
    if (rank_of(stage) != pipeline_rank) continue;
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
      all[kind] += stages[static_cast<size_t>(stage)][kind];
    }
  }
  const bool is_copy = job.model.needs_embedding_at_end() && rank_of(last) == pipeline_rank &&
                       rank_of(0) != pipeline_rank;
  StageMemory memory = memory_of(job, candidate, all, is_copy, elements, costs,
                                 Walk(stages, costs).peak_bytes(actions));
  memory.stage = pipeline_rank;
  return memory;
}

namespace {

StageMemory fullest_rank(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, const ElementTable& elements,
                         const LayerCosts& costs) {
  const Schedule schedule = build_schedule(candidate.schedule, static_cast<int>(candidate.mesh.pp),
                                           static_cast<int>(num_microbatches(job, candidate)),
                                           static_cast<int>(candidate.virtual_stages));
  StageMemory fullest;
  for (int64_t rank = 0; rank < candidate.mesh.pp; ++rank) {
    const StageMemory memory = rank_memory(
        job, candidate, stages, rank, schedule.actions[static_cast<size_t>(rank)], elements, costs);
    if (memory.total_bytes > fullest.total_bytes) fullest = memory;
  }
  return fullest;
}

}  // namespace

StageMemory fullest_stage(const Job& job, const Candidate& candidate,
                          const std::vector<StageLayers>& stages, const ElementTable& elements,
                          const LayerCosts& costs) {
  if (job.stack.keeps_memory) return stack_memory(job, candidate, stages, elements, costs);
  if (!is_plain(candidate.schedule)) return fullest_rank(job, candidate, stages, elements, costs);
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
