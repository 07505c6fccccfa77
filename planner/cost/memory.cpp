// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/memory.h"

#include <algorithm>
#include <numeric>

#include "planner/cost/activations.h"
#include "planner/cost/rank_layers.h"
#include "planner/cost/stack_memory.h"

namespace argosy {

namespace {

// Held outside of what is saved: the tensor that flows between layers, its gradient, and one
// message on the way.
constexpr int64_t kFlowingTensors = 3;

int64_t buffer_bytes(const Job& job, const Candidate& candidate) {
  const int64_t tokens = candidate.micro_batch * job.seq_len / candidate.mesh.cp;
  const int64_t ids = 2 * tokens * size_in_bytes(DType::int32);  // inputs and targets
  const int64_t rows = candidate.sequence_parallel ? tokens / candidate.mesh.tp : tokens;
  const int64_t row = job.model.hidden_size * size_in_bytes(compute_dtype(job.precision));
  return ids + kFlowingTensors * rows * row;
}

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

int64_t workspace_bytes(const StageLayers& layers, const LayerCosts& costs) {
  int64_t most = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    if (layers[kind] > 0) most = std::max(most, costs[kind].workspace_bytes);
  }
  return most;
}

// A rank, and what it holds in all.
struct IdleRank {
  StageMemory memory;
  StageLayers layers;
};

StageMemory with_activations(const IdleRank& rank, const LayerCosts& costs, int64_t bytes) {
  StageMemory memory = rank.memory;
  bytes_of(memory.bytes, MemoryCategory::activations) = bytes;
  memory.total_bytes += bytes;
  memory.routed_bytes = routed_bytes(rank.layers, costs, bytes);
  return memory;
}

IdleRank idle_rank(const Job& job, const Candidate& candidate,
                   const std::vector<StageLayers>& stages, int64_t pipeline_rank,
                   const ElementTable& elements, const LayerCosts& costs) {
  const StageLayers layers = layers_of_rank(candidate, stages, pipeline_rank);
  const bool is_copy = holds_copy(job.model, candidate, stages.size(), pipeline_rank);
  const StateMemory state = state_memory(job, candidate, layers, is_copy, elements);
  StageMemory memory;
  memory.stage = pipeline_rank;
  memory.bytes = state.bytes;
  memory.host_bytes = state.host_bytes;
  bytes_of(memory.bytes, MemoryCategory::buffers) += buffer_bytes(job, candidate);
  bytes_of(memory.bytes, MemoryCategory::workspace) = workspace_bytes(layers, costs);
  memory.total_bytes = std::accumulate(memory.bytes.begin(), memory.bytes.end(), int64_t{0});
  return {memory, layers};
}

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

int64_t in_flight(ScheduleKind schedule, int64_t num_stages, int64_t num_microbatches,
                  int64_t stage) {
  if (schedule == ScheduleKind::gpipe) return num_microbatches;
  return std::min(num_microbatches, num_stages - stage);
}

int64_t passing_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                      const LayerCosts& costs) {
  return buffer_bytes(job, candidate) + workspace_bytes(layers, costs);
}

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
