// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/stack_memory.h"

#include <algorithm>

namespace argosy {

namespace {

constexpr double kWeightBytes = 2;

StageLayers layers_of_rank(const std::vector<StageLayers>& stages, int64_t pp, int64_t rank) {
  StageLayers all{};
  for (auto stage = static_cast<size_t>(rank); stage < stages.size();
       stage += static_cast<size_t>(pp)) {
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) all[kind] += stages[stage][kind];
  }
  return all;
}

int64_t& category(StageMemory& memory, MemoryCategory c) {
  return memory.bytes[static_cast<size_t>(c)];
}

void add(StageMemory& memory, MemoryCategory c, double bytes) {
  category(memory, c) += static_cast<int64_t>(bytes);
}

void add_state(const Job& job, const Candidate& candidate, const StageLayers& layers,
               const ElementTable& table, StageMemory& memory) {
  const StackFacts& facts = job.stack.facts;
  double largest_layer = 0;
  const int zero = candidate.zero_stage;
  for (size_t d = 0; d < kNumDomains; ++d) {
    const auto domain = static_cast<Domain>(d);
    const double ranks =
        static_cast<double>(degree(candidate.mesh, shard_axis(candidate.mesh, domain)));
    double elements = 0, tables = 0, saved_by_nf4 = 0;
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
      const auto size = static_cast<double>(table[kind].layer[d].size + table[kind].table[d].size);
      elements += static_cast<double>(layers[kind]) * size;
      tables += static_cast<double>(layers[kind] * table[kind].table[d].size);
      const ProductWeights& products = table[kind].layer[d].products;
      saved_by_nf4 += static_cast<double>(layers[kind]) *
                      (static_cast<double>(products.elements) * kWeightBytes -
                       static_cast<double>(products.nf4_bytes));
      if (layers[kind] > 0) largest_layer = std::max(largest_layer, size);
    }
    const bool is_frozen = !is_trainable(domain);
    const bool is_in_4_bits = is_frozen && job.lora.base_bits != kUnquantizedBits;
    const double saved = is_in_4_bits ? saved_by_nf4 : 0;
    add(memory, MemoryCategory::parameters,
        (elements * kWeightBytes - saved) / (zero >= 3 ? ranks : 1));
    if (is_frozen) elements = job.stack.base.trains_tables ? tables : 0;
    add(memory, MemoryCategory::gradients,
        elements * facts.accumulated_gradient_bytes / (zero >= 2 ? ranks : 1));
    add(memory, MemoryCategory::optimizer,
        elements * facts.optimizer_bytes / (zero >= 1 ? ranks : 1));
  }
  // Of sharded weights two layers are whole at a time, and a gradient.
  if (zero < 3) return;
  add(memory, MemoryCategory::buffers,
      largest_layer * (2 * kWeightBytes + static_cast<double>(facts.gradient_bytes)));
}

// Kept for backward by the micro-batches alive at once, and one layer that is computed again.
void add_activations(const Job& job, const Candidate& candidate, const StageLayers& layers,
                     const LayerCosts& costs, int alive, StageMemory& memory) {
  double kept = 0, working = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    const auto saved = static_cast<double>(costs[kind].saved_bytes);
    const bool whole = candidate.recompute == Recompute::full;
    kept += static_cast<double>(layers[kind]) * saved *
            (is_block(kind) && !whole ? job.stack.facts.saved_share : 1);
    if (layers[kind] > 0) {
      working = std::max(working, static_cast<double>(costs[kind].workspace_bytes));
    }
  }
  add(memory, MemoryCategory::activations,
      kept * static_cast<double>(alive) / static_cast<double>(candidate.virtual_stages));
  add(memory, MemoryCategory::workspace, working);
}

double logit_bytes(const Job& job, const Candidate& candidate) {
  const Mesh& mesh = candidate.mesh;
  const double tokens =
      static_cast<double>(candidate.micro_batch * job.seq_len) / static_cast<double>(mesh.cp);
  return tokens * static_cast<double>(job.model.vocab_size) / static_cast<double>(mesh.tp) *
         job.stack.facts.logit_bytes;
}

}  // namespace

StageMemory stack_memory(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, const ElementTable& elements,
                         const LayerCosts& costs, const std::vector<int>& alive) {
  StageMemory most;
  const int64_t pp = candidate.mesh.pp;
  for (int64_t rank = 0; rank < pp; ++rank) {
    const StageLayers layers = layers_of_rank(stages, pp, rank);
    StageMemory memory;
    memory.stage = rank;
    add_state(job, candidate, layers, elements, memory);
    add_activations(job, candidate, layers, costs, alive[static_cast<size_t>(rank)], memory);
    if (rank == pp - 1) add(memory, MemoryCategory::workspace, logit_bytes(job, candidate));
    add(memory, MemoryCategory::buffers, job.stack.facts.constant_bytes);
    for (const int64_t bytes : memory.bytes) memory.total_bytes += bytes;
    if (memory.total_bytes > most.total_bytes) most = memory;
  }
  return most;
}

}  // namespace argosy
