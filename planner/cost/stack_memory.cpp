// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/stack_memory.h"

#include <algorithm>

namespace argosy {

namespace {

constexpr double kWeightBytes = 2;
constexpr double kQuantizedBytes = 0.5 + 2.0 / 64;  // 4 bits and a scale of 16 for each 64

StageLayers layers_of_rank(const StackRun& run, int64_t rank) {
  StageLayers all{};
  const auto pp = static_cast<size_t>(run.candidate.mesh.pp);
  for (size_t stage = static_cast<size_t>(rank); stage < run.stages.size(); stage += pp) {
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) all[kind] += run.stages[stage][kind];
  }
  return all;
}

double state_bytes(const StackRun& run, const StackProfile& stack, const StageLayers& layers) {
  double bytes = 0, largest_layer = 0;
  const int zero = run.candidate.zero_stage;
  for (size_t d = 0; d < kNumDomains; ++d) {
    const auto domain = static_cast<Domain>(d);
    const double ranks = static_cast<double>(degree(run.candidate.mesh, reduction_axis(domain)));
    double elements = 0, tables = 0;
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
      const auto size =
          static_cast<double>(run.elements[kind].layer[d].size + run.elements[kind].table[d].size);
      elements += static_cast<double>(layers[kind]) * size;
      tables += static_cast<double>(layers[kind] * run.elements[kind].table[d].size);
      if (layers[kind] > 0) largest_layer = std::max(largest_layer, size);
    }
    const bool is_frozen = !is_trainable(domain);
    const double block_bytes = is_frozen && run.base.in_4_bits ? kQuantizedBytes : kWeightBytes;
    bytes += ((elements - tables) * block_bytes + tables * kWeightBytes) / (zero >= 3 ? ranks : 1);
    if (is_frozen) elements = run.base.trains_tables ? tables : 0;
    bytes += elements * stack.accumulated_gradient_bytes / (zero >= 2 ? ranks : 1);
    bytes += elements * stack.optimizer_bytes / (zero >= 1 ? ranks : 1);
  }
  // Of sharded weights two layers are whole at a time, and a gradient.
  if (zero >= 3)
    bytes += largest_layer * (2 * kWeightBytes + static_cast<double>(stack.gradient_bytes));
  return bytes;
}

// Kept for backward by the micro-batches alive at once, and one layer that is computed again.
double activation_bytes(const StackRun& run, const StackProfile& stack, const StageLayers& layers,
                        int64_t alive) {
  double kept = 0, working = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    const auto saved = static_cast<double>(run.works[kind].saved_bytes);
    const bool is_block = std::find(std::begin(kBlockKinds), std::end(kBlockKinds),
                                    static_cast<LayerKind>(kind)) != std::end(kBlockKinds);
    const bool whole = run.candidate.recompute == Recompute::full;
    kept +=
        static_cast<double>(layers[kind]) * saved * (is_block && !whole ? stack.saved_share : 1);
    if (layers[kind] > 0) {
      working = std::max(working, static_cast<double>(run.works[kind].workspace_bytes));
    }
  }
  return kept * static_cast<double>(alive) / static_cast<double>(run.candidate.virtual_stages) +
         working;
}

double logit_bytes(const StackRun& run, const StackProfile& stack) {
  const Mesh& mesh = run.candidate.mesh;
  const double tokens = static_cast<double>(run.candidate.micro_batch * run.job.seq_len) /
                        static_cast<double>(mesh.cp);
  return tokens * static_cast<double>(run.job.model.vocab_size) / static_cast<double>(mesh.tp) *
         stack.logit_bytes;
}

}  // namespace

int64_t peak_bytes(const StackRun& run, const StackProfile& stack) {
  const std::vector<int> alive = max_in_flight(run.short_schedule);
  double most = 0;
  const int64_t pp = run.candidate.mesh.pp;
  for (int64_t rank = 0; rank < pp; ++rank) {
    const StageLayers layers = layers_of_rank(run, rank);
    double bytes = state_bytes(run, stack, layers) +
                   activation_bytes(run, stack, layers, alive[static_cast<size_t>(rank)]);
    if (rank == pp - 1) bytes += logit_bytes(run, stack);
    most = std::max(most, bytes);
  }
  return static_cast<int64_t>(most + stack.constant_bytes);
}

}  // namespace argosy
