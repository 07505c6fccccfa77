// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/stack_memory.h"

#include <algorithm>

#include "planner/cost/rank_layers.h"

namespace argosy {

namespace {

constexpr double kWeightBytes = 2;
constexpr double kBytesPerPair = 5;  // Korthikanti et al. (arXiv:2205.05198) equation 1

void add(StageMemory& memory, MemoryCategory c, double bytes) {
  bytes_of(memory.bytes, c) += static_cast<int64_t>(bytes);
}

// What is whole at a time: of a block, and of the head or the embedding, whose table is in it.
struct Whole {
  double weights = 0, with_gradient = 0;  // bytes
};
struct Passing {
  Whole block, edge;
  double table = 0;    // trained elements of the largest table
  double updated = 0;  // elements that the rank's optimizer updates
};

// Weights, gradients and optimizer.
Passing add_state(const Job& job, const Candidate& candidate, const StageLayers& layers,
                  const ElementTable& table, StageMemory& memory) {
  const StackFacts& facts = job.stack.facts;
  const double gradient_bytes = static_cast<double>(facts.gradient_bytes);
  Passing passing;
  const int zero = candidate.zero_stage;
  for (size_t d = 0; d < kNumDomains; ++d) {
    const auto domain = static_cast<Domain>(d);
    const double ranks =
        static_cast<double>(degree(candidate.mesh, shard_axis(candidate.mesh, domain)));
    const bool is_frozen = !is_trainable(domain);
    const bool is_in_4_bits = is_frozen && job.lora.base_bits != kUnquantizedBits;
    double elements = 0, tables = 0, saved_by_nf4 = 0;
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
      const auto size = static_cast<double>(table[kind].layer[d].size + table[kind].table[d].size);
      elements += static_cast<double>(layers[kind]) * size;
      tables += static_cast<double>(layers[kind] * table[kind].table[d].size);
      const ProductWeights& products = table[kind].layer[d].products;
      const double saved = is_in_4_bits ? static_cast<double>(products.elements) * kWeightBytes -
                                              static_cast<double>(products.nf4_bytes)
                                        : 0;
      saved_by_nf4 += static_cast<double>(layers[kind]) * saved;
      if (layers[kind] == 0) continue;
      const double whole = size * kWeightBytes - saved;
      Whole& part = is_block(kind) ? passing.block : passing.edge;
      part.weights = std::max(part.weights, whole);
      part.with_gradient =
          std::max(part.with_gradient, whole + (is_frozen ? 0 : size * gradient_bytes));
      if (!is_frozen) {
        passing.table = std::max(passing.table, static_cast<double>(table[kind].table[d].size));
      }
    }
    add(memory, MemoryCategory::parameters,
        (elements * kWeightBytes - saved_by_nf4) / (zero >= 3 ? ranks : 1));
    if (is_frozen) elements = job.stack.base.trains_tables ? tables : 0;
    passing.updated += elements / (zero >= 1 ? ranks : 1);
    add(memory, MemoryCategory::gradients,
        elements * facts.accumulated_gradient_bytes / (zero >= 2 ? ranks : 1));
    add(memory, MemoryCategory::optimizer,
        elements * (facts.optimizer_bytes + (zero < 3 ? facts.flat_bytes : 0)) /
            (zero >= 1 ? ranks : 1));
  }
  return passing;
}

// Outputs of both norms, and of the activation in front of the last product of an MLP, of the
// chosen experts and the shared one.
double product_bytes(const Job& job, const Candidate& candidate, size_t kind) {
  const Mesh& mesh = candidate.mesh;
  const int64_t whole_tokens = candidate.micro_batch * job.seq_len / mesh.cp;
  const auto tokens = static_cast<double>(whole_tokens);
  const double rows = candidate.sequence_parallel ? tokens / static_cast<double>(mesh.tp) : tokens;
  const auto width = [&](int64_t size) {
    return tokens * static_cast<double>(size) / static_cast<double>(mesh.tp);
  };
  const MoeSpec& moe = job.model.moe;
  const bool is_dense =
      base_kind(kind) == LayerKind::dense || base_kind(kind) == LayerKind::windowed_dense;
  const double activations = is_dense
                                 ? width(job.model.ffn_size)
                                 : width(moe.shared_ffn_size) + width(moe.top_k * moe.ffn_size);
  return kWeightBytes * (2 * rows * static_cast<double>(job.model.hidden_size) + activations);
}

// Scores of all pairs in memory: softmax and dropout in 16 bits, and the latter's mask.
double score_bytes(const Job& job, const Candidate& candidate) {
  const double length = static_cast<double>(job.seq_len);
  return kBytesPerPair * static_cast<double>(candidate.micro_batch * job.model.num_heads) * length *
         length / static_cast<double>(candidate.mesh.tp * candidate.mesh.cp);
}

// Of layers of this kind (with_recompute()).
Recompute recompute_of(const Candidate& candidate, size_t kind) {
  const auto recompute = static_cast<Recompute>(kind / kNumBaseKinds);
  return recompute == Recompute::none ? candidate.recompute : recompute;
}

// Kept for backward by the micro-batches alive at once. Returns the bytes of one layer that is
// computed again.
double add_activations(const Job& job, const Candidate& candidate, const StageLayers& layers,
                       const LayerCosts& costs, int alive, StageMemory& memory) {
  const StackFacts& facts = job.stack.facts;
  double kept = 0, working = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    if (layers[kind] == 0) continue;
    double saved = static_cast<double>(costs[kind].saved_bytes);
    double again = static_cast<double>(costs[kind].recomputed_bytes);
    if (is_block(kind)) {
      const Recompute recompute = recompute_of(candidate, kind);
      const bool whole = recompute == Recompute::full;
      (whole ? again : saved) *= facts.saved_share;
      if (facts.keeps_products) (whole ? again : saved) += product_bytes(job, candidate, kind);
      if (!facts.fuses_attention) {
        (recompute == Recompute::none ? saved : again) += score_bytes(job, candidate);
      }
    }
    kept += static_cast<double>(layers[kind]) * saved;
    // Argosy's workspace is what it makes again of what these keep.
    if (!facts.keeps_products) again += static_cast<double>(costs[kind].workspace_bytes);
    working = std::max(working, again);
  }
  add(memory, MemoryCategory::activations,
      kept * static_cast<double>(alive) / static_cast<double>(candidate.virtual_stages));
  return working;
}

double logit_bytes(const Job& job, const Candidate& candidate) {
  const Mesh& mesh = candidate.mesh;
  const double tokens =
      static_cast<double>(candidate.micro_batch * job.seq_len) / static_cast<double>(mesh.cp);
  return tokens * static_cast<double>(job.model.vocab_size) / static_cast<double>(mesh.tp) *
         job.stack.facts.logit_bytes;
}

// Of moments at which all that is kept is there, the one that needs most beside it: the loss, with
// the logits and the gradient of a table; or the backward pass of a block, when those are gone. Of
// sharded weights the layer at work and the block that follows are whole, and a gradient.
void add_moment(const Job& job, const Candidate& candidate, const Passing& passing, double logits,
                double working, StageMemory& memory) {
  const StackFacts& facts = job.stack.facts;
  const bool is_sharded = candidate.zero_stage >= 3;
  const double table = passing.table * facts.table_gradient_bytes +
                       (is_sharded ? passing.edge.with_gradient + passing.block.weights : 0);
  const double block = is_sharded ? passing.block.with_gradient + passing.block.weights : 0;
  const bool is_at_loss = logits + table > working + block;
  add(memory, MemoryCategory::workspace, is_at_loss ? logits : working);
  add(memory, MemoryCategory::buffers, is_at_loss ? table : block);
  // Activations are gone when the update makes its copies: only what these need beyond counts.
  const double gone = static_cast<double>(bytes_of(memory.bytes, MemoryCategory::activations) +
                                          bytes_of(memory.bytes, MemoryCategory::workspace));
  add(memory, MemoryCategory::workspace,
      std::max(0.0, passing.updated * facts.update_bytes - gone));
}

}  // namespace

StageMemory stack_memory(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, const ElementTable& elements,
                         const LayerCosts& costs, const std::vector<int>& alive) {
  StageMemory most;
  const int64_t pp = candidate.mesh.pp;
  const int64_t last =
      pipeline_rank_of_stage(candidate.schedule, pp, static_cast<int64_t>(stages.size()) - 1);
  const std::vector<StageLayers> ranks = layers_of_ranks(candidate, stages);
  for (int64_t rank = 0; rank < pp; ++rank) {
    const auto at = static_cast<size_t>(rank);
    const StageLayers& layers = ranks[at];
    // Of equal layers the rank in front keeps no less.
    const bool is_like_before = rank > 0 && rank != last && layers == ranks[at - 1];
    if (is_like_before && alive[at] <= alive[at - 1]) continue;
    StageMemory memory;
    memory.stage = rank;
    const double working = add_activations(job, candidate, layers, costs, alive[at], memory);
    const Passing passing = add_state(job, candidate, layers, elements, memory);
    add_moment(job, candidate, passing, rank == last ? logit_bytes(job, candidate) : 0, working,
               memory);
    const StackFacts& facts = job.stack.facts;
    for (int64_t& bytes : memory.bytes) {
      bytes = static_cast<int64_t>(static_cast<double>(bytes) * facts.reserve_share);
    }
    add(memory, MemoryCategory::buffers, facts.constant_bytes);
    for (const int64_t bytes : memory.bytes) memory.total_bytes += bytes;
    if (memory.total_bytes > most.total_bytes) most = memory;
  }
  return most;
}

StageMemory stack_memory(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, const ElementTable& elements,
                         const LayerCosts& costs, ShortSchedules& schedules) {
  const int64_t pp = candidate.mesh.pp, m = num_microbatches(job, candidate);
  std::vector<int> alive;
  if (is_plain(candidate.schedule)) {
    for (int64_t stage = 0; stage < pp; ++stage) {
      alive.push_back(static_cast<int>(in_flight(candidate.schedule, pp, m, stage)));
    }
  } else {
    for (const RankPasses& passes :
         schedules.get(candidate.schedule, pp, m, candidate.virtual_stages).passes) {
      alive.push_back(static_cast<int>(passes.any));
    }
  }
  return stack_memory(job, candidate, stages, elements, costs, alive);
}

}  // namespace argosy
