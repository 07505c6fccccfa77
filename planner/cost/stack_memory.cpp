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

double logit_bytes(const Job& job, const Candidate& candidate) {
  const Mesh& mesh = candidate.mesh;
  const double tokens =
      static_cast<double>(candidate.micro_batch * job.seq_len) / static_cast<double>(mesh.cp);
  return tokens * static_cast<double>(job.model.vocab_size) / static_cast<double>(mesh.tp) *
         job.stack.facts.logit_bytes;
}

std::vector<int> alive_of(const Job& job, const Candidate& candidate, ShortSchedules& schedules) {
  const int64_t pp = candidate.mesh.pp, m = num_microbatches(job, candidate);
  std::vector<int> alive;
  alive.reserve(static_cast<size_t>(pp));
  if (is_plain(candidate.schedule)) {
    for (int64_t stage = 0; stage < pp; ++stage) {
      alive.push_back(static_cast<int>(in_flight(candidate.schedule, pp, m, stage)));
    }
    return alive;
  }
  for (const RankPasses& passes :
       schedules.get(candidate.schedule, pp, m, candidate.virtual_stages).passes) {
    alive.push_back(static_cast<int>(passes.any));
  }
  return alive;
}

}  // namespace

StackState stack_state(const Job& job, const Candidate& candidate, int64_t rank,
                       const StageLayers& layers, const ElementTable& table) {
  const StackFacts& facts = job.stack.facts;
  const double gradient_bytes = static_cast<double>(facts.gradient_bytes);
  const int zero = candidate.zero_stage;
  StackState state;
  state.rank = state.memory.stage = rank;
  state.is_sharded = zero >= 3;
  for (size_t d = 0; d < kNumDomains; ++d) {
    const auto domain = static_cast<Domain>(d);
    const double ranks =
        static_cast<double>(degree(candidate.mesh, shard_axis(candidate.mesh, domain)));
    const bool is_frozen = !is_trainable(domain);
    const bool is_in_4_bits = is_frozen && job.lora.base_bits != kUnquantizedBits;
    double elements = 0, tables = 0, saved_by_nf4 = 0;
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
      if (layers[kind] == 0) continue;
      const auto size = static_cast<double>(table[kind].layer[d].size + table[kind].table[d].size);
      elements += static_cast<double>(layers[kind]) * size;
      tables += static_cast<double>(layers[kind] * table[kind].table[d].size);
      const ProductWeights& products = table[kind].layer[d].products;
      const double saved = is_in_4_bits ? static_cast<double>(products.elements) * kWeightBytes -
                                              static_cast<double>(products.nf4_bytes)
                                        : 0;
      saved_by_nf4 += static_cast<double>(layers[kind]) * saved;
      const double whole = size * kWeightBytes - saved;
      StackWhole& part = is_block(kind) ? state.block : state.edge;
      part.weights = std::max(part.weights, whole);
      part.with_gradient =
          std::max(part.with_gradient, whole + (is_frozen ? 0 : size * gradient_bytes));
      if (!is_frozen) {
        state.table = std::max(state.table, static_cast<double>(table[kind].table[d].size));
      }
    }
    add(state.memory, MemoryCategory::parameters,
        (elements * kWeightBytes - saved_by_nf4) / (zero >= 3 ? ranks : 1));
    if (is_frozen) elements = job.stack.base.trains_tables ? tables : 0;
    state.updated += elements / (zero >= 1 ? ranks : 1);
    add(state.memory, MemoryCategory::gradients,
        elements * facts.accumulated_gradient_bytes / (zero >= 2 ? ranks : 1));
    add(state.memory, MemoryCategory::optimizer,
        elements * (facts.optimizer_bytes + (zero < 3 ? facts.flat_bytes : 0)) /
            (zero >= 1 ? ranks : 1));
  }
  return state;
}

StackRanks::StackRanks(const Job& job, const Candidate& candidate, const LayerCosts& costs,
                       std::vector<int> alive)
    : job_(job),
      candidate_(candidate),
      alive_(std::move(alive)),
      last_rank_(pipeline_rank_of_stage(candidate.schedule, candidate.mesh.pp,
                                        candidate.num_stages() - 1)),
      logit_bytes_(logit_bytes(job, candidate)) {
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    layer_bytes_[kind] = layer_bytes(costs, kind);
  }
}

StackRanks::StackRanks(const Job& job, const Candidate& candidate, const LayerCosts& costs,
                       ShortSchedules& schedules)
    : StackRanks(job, candidate, costs, alive_of(job, candidate, schedules)) {}

StackRanks::LayerBytes StackRanks::layer_bytes(const LayerCosts& costs, size_t kind) const {
  const StackFacts& facts = job_.stack.facts;
  double saved = static_cast<double>(costs[kind].saved_bytes);
  double again = static_cast<double>(costs[kind].recomputed_bytes);
  if (is_block(kind)) {
    const Recompute recompute = recompute_of(candidate_, kind);
    const bool whole = recompute == Recompute::full;
    (whole ? again : saved) *= facts.saved_share;
    if (facts.keeps_products) (whole ? again : saved) += product_bytes(job_, candidate_, kind);
    if (!facts.fuses_attention) {
      (recompute == Recompute::none ? saved : again) += score_bytes(job_, candidate_);
    }
  }
  // Argosy's workspace is what it makes again of what these keep.
  if (!facts.keeps_products) again += static_cast<double>(costs[kind].workspace_bytes);
  return {saved, again};
}

// Of moments at which all that is kept is there, the one that needs most beside it: the loss, with
// the logits and the gradient of a table; or the backward pass of a block, when those are gone. Of
// sharded weights the layer at work and the block that follows are whole, and a gradient.
void StackRanks::add_moment(const StackState& state, double working, StageMemory& memory) const {
  const StackFacts& facts = job_.stack.facts;
  const double logits = state.rank == last_rank_ ? logit_bytes_ : 0;
  const double table = state.table * facts.table_gradient_bytes +
                       (state.is_sharded ? state.edge.with_gradient + state.block.weights : 0);
  const double block = state.is_sharded ? state.block.with_gradient + state.block.weights : 0;
  const bool is_at_loss = logits + table > working + block;
  add(memory, MemoryCategory::workspace, is_at_loss ? logits : working);
  add(memory, MemoryCategory::buffers, is_at_loss ? table : block);
  // Activations are gone when the update makes its copies: only what these need beyond counts.
  const double gone = static_cast<double>(bytes_of(memory.bytes, MemoryCategory::activations) +
                                          bytes_of(memory.bytes, MemoryCategory::workspace));
  add(memory, MemoryCategory::workspace, std::max(0.0, state.updated * facts.update_bytes - gone));
}

StageMemory StackRanks::memory(const StackState& state, const StageLayers& layers) const {
  double kept = 0, working = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    if (layers[kind] == 0) continue;
    kept += static_cast<double>(layers[kind]) * layer_bytes_[kind].saved;
    working = std::max(working, layer_bytes_[kind].again);
  }
  return memory(state, kept, working);
}

StageMemory StackRanks::memory(const StackState& state, double kept, double working) const {
  const StackFacts& facts = job_.stack.facts;
  StageMemory memory = state.memory;
  add(memory, MemoryCategory::activations,
      kept * static_cast<double>(alive_[static_cast<size_t>(state.rank)]) /
          static_cast<double>(candidate_.virtual_stages));
  add_moment(state, working, memory);
  for (int64_t& bytes : memory.bytes) {
    bytes = static_cast<int64_t>(static_cast<double>(bytes) * facts.reserve_share);
  }
  add(memory, MemoryCategory::buffers, facts.constant_bytes);
  for (const int64_t bytes : memory.bytes) memory.total_bytes += bytes;
  return memory;
}

int64_t StackRanks::least_bytes(const StackState& state, const StageLayers& layers) const {
  double kept = 0, working = 0;
  for (size_t kind = 0; kind < kNumBaseKinds; ++kind) {
    if (layers[kind] == 0) continue;
    LayerBytes least = layer_bytes_[kind];
    const bool is_open = is_block(kind) || static_cast<LayerKind>(kind) == LayerKind::mtp;
    for (const Recompute recompute : {Recompute::selective, Recompute::full}) {
      if (!is_open) break;
      const LayerBytes& again = layer_bytes_[static_cast<size_t>(
          with_recompute(static_cast<LayerKind>(kind), recompute))];
      least.saved = std::min(least.saved, again.saved);
      least.again = std::min(least.again, again.again);
    }
    kept += static_cast<double>(layers[kind]) * least.saved;
    working = std::max(working, least.again);
  }
  // The update's copies need less where more is kept, and categories are cut to whole bytes.
  StackState without_update = state;
  without_update.updated = 0;
  return memory(without_update, kept, working).total_bytes - kNumMemoryCategories;
}

StageMemory StackRanks::fullest(const std::vector<StageLayers>& stages,
                                const ElementTable& elements) const {
  const std::vector<StageLayers> ranks = layers_of_ranks(candidate_, stages);
  StageMemory most;
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    const StageLayers& layers = ranks[rank];
    const auto index = static_cast<int64_t>(rank);
    // Of equal layers the rank in front keeps no less.
    const bool is_like_before = rank > 0 && index != last_rank_ && layers == ranks[rank - 1];
    if (is_like_before && alive_[rank] <= alive_[rank - 1]) continue;
    const StageMemory full = memory(stack_state(job_, candidate_, index, layers, elements), layers);
    if (full.total_bytes > most.total_bytes) most = full;
  }
  return most;
}

StageMemory stack_memory(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, const ElementTable& elements,
                         const LayerCosts& costs, const std::vector<int>& alive) {
  return StackRanks(job, candidate, costs, alive).fullest(stages, elements);
}

StageMemory stack_memory(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, const ElementTable& elements,
                         const LayerCosts& costs, ShortSchedules& schedules) {
  return StackRanks(job, candidate, costs, schedules).fullest(stages, elements);
}

}  // namespace argosy
