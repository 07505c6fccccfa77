// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/fits.h"

#include <algorithm>

#include "planner/cost/evaluate.h"
#include "planner/cost/memory.h"
#include "planner/cost/memory_band.h"
#include "planner/cost/offload.h"
#include "planner/cost/rank_layers.h"
#include "planner/cost/state_memory.h"

namespace argosy {

namespace {

StageLayers recomputed(const StageLayers& layers, Recompute recompute) {
  StageLayers moved{};
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    const auto target = is_block(kind) || base_kind(kind) == LayerKind::mtp
                            ? static_cast<size_t>(with_recompute(base_kind(kind), recompute))
                            : kind;
    moved[target] += layers[kind];
  }
  return moved;
}

// Of the stages of a rank.
struct Limits {
  int64_t least_saved = std::numeric_limits<int64_t>::max(), most = 0, extra = 0;

  void add(const StageActivations& stage) {
    least_saved = std::min(least_saved, stage.saved_bytes);
    most = std::max({most, stage.saved_bytes, stage.deferred_bytes});
    extra = std::max({extra, stage.extra_bytes, stage.input_extra_bytes});
  }
};

}  // namespace

size_t Fits::shape_of(const StageLayers& layers) {
  const auto known = std::find_if(shapes_.rbegin(), shapes_.rend(),
                                  [&](const Shape& shape) { return shape.layers == layers; });
  if (known != shapes_.rend()) return static_cast<size_t>(shapes_.rend() - known) - 1;
  shapes_.push_back({layers, nullptr, {}});
  return shapes_.size() - 1;
}

std::vector<StageLayers> Fits::stages_of(const Candidate& open) const {
  Candidate candidate = open;
  candidate.layer_recompute =
      ruled_recompute(settler_.rule().recompute, candidate.layers_per_stage);
  return stage_layers(job_.model, candidate);
}

Fits::Split Fits::make_split(const Candidate& open, bool any_rank) {
  Split split;
  split.stages = stages_of(open);
  split.state_bytes.resize(4 * point_.zeros.size());
  split.stack_states.resize(point_.zeros.size());
  for (size_t stage = 0; stage < split.stages.size(); ++stage) {
    const bool is_same = stage > 0 && split.stages[stage] == split.stages[stage - 1];
    split.shape_of_stage.push_back(is_same ? split.shape_of_stage.back()
                                           : shape_of(split.stages[stage]));
  }
  const auto pp = static_cast<size_t>(open.mesh.pp);
  std::vector<Rank> ranks(pp);
  for (size_t stage = 0; stage < split.stages.size(); ++stage) {
    Rank& rank = ranks[static_cast<size_t>(
        pipeline_rank_of_stage(open.schedule, open.mesh.pp, static_cast<int64_t>(stage)))];
    rank.stages.push_back(stage);
    const size_t shape = split.shape_of_stage[stage];
    if (std::find(rank.shapes.begin(), rank.shapes.end(), shape) == rank.shapes.end()) {
      rank.shapes.push_back(shape);
    }
  }
  for (size_t i = 0; i < pp; ++i) {
    const auto same_as_before = [&] {
      for (size_t stage = i; stage < split.stages.size(); stage += pp) {
        if (split.shape_of_stage[stage] != split.shape_of_stage[stage - 1]) return false;
      }
      return true;
    };
    if (!any_rank && i > 1 && same_as_before()) continue;
    Rank& rank = ranks[i];
    rank.rank = static_cast<int64_t>(i);
    rank.is_copy = holds_copy(job_.model, open, split.stages.size(), rank.rank);
    for (const size_t stage : rank.stages) {
      for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
        rank.all[kind] += split.stages[stage][kind];
      }
    }
    const bool is_ruled = settler_.rule().recompute.kind.has_value();
    rank.all_full = is_ruled ? rank.all : recomputed(rank.all, Recompute::full);
    split.ranks.push_back(std::move(rank));
  }
  return split;
}

Fits::Split& Fits::split_of(const Candidate& open, size_t split) {
  // With a split backward, or where recomputation is dealt out, every rank may be the fullest.
  const bool any_rank =
      splits_backward(open.schedule) || settler_.rule().recompute.num_layers.has_value();
  const bool is_v = open.schedule == ScheduleKind::zb_v;
  const size_t index = 4 * split + (is_v ? 2 : 0) + (any_rank ? 1 : 0);
  if (index >= splits_.size()) splits_.resize(index + 1);
  if (!splits_[index]) splits_[index] = std::make_unique<Split>(make_split(open, any_rank));
  return *splits_[index];
}

// Of one micro-batch, by recomputation as far as it is open.
const std::array<StageActivations, kNumRecomputes>& Fits::kept_of(size_t index) {
  Shape& shape = shapes_[index];
  if (shape.costs == costs_) return shape.kept;
  const bool is_ruled = settler_.rule().recompute.kind.has_value();
  for (size_t i = 0; i < (is_ruled ? 1 : kNumRecomputes); ++i) {
    shape.kept[i] = stage_activations(
        is_ruled ? shape.layers : recomputed(shape.layers, static_cast<Recompute>(i)), *costs_);
  }
  shape.costs = costs_;
  return shape.kept;
}

const Fits::Zero& Fits::zero_of(size_t zero) {
  zeros_.resize(point_.zeros.size());
  std::optional<Zero>& known = zeros_[zero];
  if (known) return *known;
  known.emplace();
  Candidate& candidate = known->candidate;
  candidate = *open_;
  candidate.zero_stage = point_.zeros[zero].stage;
  candidate.mesh.zero_shard = point_.zeros[zero].shard;
  candidate.layers_per_stage.clear();
  known->usable_bytes = usable_bytes(job_, candidate, 0);
  // Rows that are kept are within the device's memory.
  const int64_t with_rows = usable_bytes(job_, candidate, job_.cluster.accelerator.memory_bytes);
  known->most_usable_bytes = std::max(known->usable_bytes, with_rows);
  known->follows_rows = with_rows != known->usable_bytes;
  const ElementTable& elements = settler_.cache().elements(candidate);
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    StageLayers one{};
    one[kind] = 1;
    known->layer_bytes[kind] = lasting_bytes(job_, candidate, one, false, elements);
  }
  known->copy_bytes = lasting_bytes(job_, candidate, {}, true, elements);
  return *known;
}

const std::vector<StateBytes>& Fits::state_bytes(size_t zero) {
  // What ZeRO 2 holds beside its shards depends on the order of the micro-batches.
  const bool is_repeated = num_microbatches(job_, *open_) > 1;
  const bool is_gpipe = open_->schedule == ScheduleKind::gpipe;
  std::vector<StateBytes>& bytes =
      split_->state_bytes[4 * zero + (is_gpipe ? 2 : 0) + (is_repeated ? 1 : 0)];
  if (!bytes.empty()) return bytes;
  const Zero& known = zero_of(zero);
  Candidate candidate = known.candidate;
  candidate.micro_batch = open_->micro_batch;
  candidate.schedule = open_->schedule;
  const ElementTable& elements = settler_.cache().elements(candidate);
  bytes.reserve(split_->ranks.size());
  for (const Rank& rank : split_->ranks) {
    StateBytes sum = rank.is_copy ? known.copy_bytes : StateBytes{};
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
      sum.on_device += rank.all[kind] * known.layer_bytes[kind].on_device;
      sum.on_host += rank.all[kind] * known.layer_bytes[kind].on_host;
    }
    sum.on_device += temporary_bytes(job_, candidate, rank.all, elements);
    bytes.push_back(sum);
  }
  return bytes;
}

Fits::Kept Fits::kept_on(const Rank& rank) {
  const int64_t m = num_microbatches(job_, *open_);
  const ScheduleKind schedule = open_->schedule;
  RankPasses passes;
  if (is_plain(schedule)) {
    passes.saved = passes.any = in_flight(schedule, open_->mesh.pp, m, rank.rank);
  } else {
    passes = short_->passes[static_cast<size_t>(rank.rank)];
  }
  const bool is_ruled = settler_.rule().recompute.kind.has_value();
  Kept kept;
  kept.passing_bytes = passing_bytes(job_, *open_, rank.all, *costs_);
  kept.at_least = kept.at_most = std::numeric_limits<int64_t>::max();
  for (const Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
    Limits limits;
    for (const size_t shape : rank.shapes) {
      limits.add(kept_of(shape)[static_cast<size_t>(recompute)]);
    }
    kept.at_least = std::min(kept.at_least, passes.saved * limits.least_saved);
    kept.full_at_most = passes.any * limits.most + limits.extra;
    kept.at_most = std::min(kept.at_most, kept.full_at_most);
    if (is_ruled) break;
  }
  return kept;
}

void Fits::sharpen(const Rank& rank, Kept& kept) {
  if (kept.precision == Kept::coarse && !settler_.rule().recompute.kind) {
    const ActivationPeak& peak = full_peak(rank, kept);
    kept.at_most = std::min(kept.at_most, peak.bytes);
    kept.at_least = std::max(kept.at_least, peak.without_extra);
    kept.precision = Kept::close;
  } else {
    kept.at_least = kept.at_most = least_kept(rank);
    kept.precision = Kept::exact;
  }
}

// Everything computed again is one choice, and nothing saves more than it does: only what runs
// again at a time may be less.
const ActivationPeak& Fits::full_peak(const Rank& rank, Kept& kept) {
  if (kept.full_peak) return *kept.full_peak;
  const auto again = [&](size_t stage) -> const StageActivations& {
    return kept_of(split_->shape_of_stage[stage])[static_cast<size_t>(Recompute::full)];
  };
  if (short_ == nullptr) {
    const StageActivations& stage = again(rank.stages.front());
    const int64_t alive =
        in_flight(open_->schedule, open_->mesh.pp, num_microbatches(job_, *open_), rank.rank);
    kept.full_peak = {plain_activation_bytes(stage, alive), alive * stage.saved_bytes};
  } else {
    recomputed_.clear();
    for (const size_t stage : rank.stages) recomputed_.push_back(again(stage));
    kept.full_peak = activation_peak(recomputed_, short_->orders[static_cast<size_t>(rank.rank)]);
  }
  return *kept.full_peak;
}

// With everything that may be computed again; exact.
int64_t Fits::least_kept(const Rank& rank) const {
  const int64_t m = num_microbatches(job_, *open_);
  if (!settler_.rule().recompute.kind) {
    return LeastRecompute(job_.model, *open_, m, split_->stages, *costs_, short_)
        .least_bytes(rank.rank);
  }
  if (short_ != nullptr) {
    return activation_bytes(stage_activations(split_->stages, *costs_),
                            short_->orders[static_cast<size_t>(rank.rank)]);
  }
  return plain_activation_bytes(stage_activations(shapes_[rank.shapes.front()].layers, *costs_),
                                in_flight(open_->schedule, open_->mesh.pp, m, rank.rank));
}

void Fits::look_at(const Candidate& open, size_t split, const LayerCosts& costs) {
  open_ = &open;
  costs_ = &costs;
  split_ = &split_of(open, split);
  if (job_.stack.keeps_memory) {
    stack_.emplace(job_, open, costs, settler_.schedules());
    return;
  }
  short_ = is_plain(open.schedule)
               ? nullptr
               : &settler_.schedules().get(open.schedule, open.mesh.pp,
                                           num_microbatches(job_, open), open.virtual_stages);
  kept_.clear();
  for (const Rank& rank : split_->ranks) kept_.push_back(kept_on(rank));
}

int64_t Fits::settled_missing_bytes(size_t zero) {
  Candidate candidate = *open_;
  candidate.zero_stage = point_.zeros[zero].stage;
  candidate.mesh.zero_shard = point_.zeros[zero].shard;
  if (settler_.fits_in_full(candidate)) return 0;
  const Settled settled = settler_.settle(std::move(candidate));
  return std::max<int64_t>(0, argosy::missing_bytes(job_, settled.candidate, settled.memory));
}

// Whole blocks that are computed again keep no rows of experts, so that the budget is known.
bool Fits::fits_in_full(size_t zero) {
  if (settler_.rule().recompute.kind) return false;
  const Zero& known = zero_of(zero);
  const std::vector<StateBytes>& state = state_bytes(zero);
  for (size_t i = 0; i < kept_.size(); ++i) {
    Kept& kept = kept_[i];
    const int64_t budget = known.usable_bytes - state[i].on_device - kept.passing_bytes;
    if (kept.at_least > budget || missing_host_bytes(job_, state[i].on_host) > 0) {
      return false;
    }
    if (kept.full_at_most > budget && full_peak(split_->ranks[i], kept).bytes > budget) {
      return false;
    }
  }
  return true;
}

const std::vector<StackState>& Fits::stack_states(size_t zero) {
  std::vector<StackState>& states = split_->stack_states[zero];
  if (!states.empty()) return states;
  const Candidate& candidate = zero_of(zero).candidate;
  const ElementTable& elements = settler_.cache().elements(candidate);
  states.reserve(split_->ranks.size());
  for (const Rank& rank : split_->ranks) {
    states.push_back(stack_state(job_, candidate, rank.rank, rank.all, elements));
  }
  return states;
}

// Limits from both sides: everything computed again is one choice, no choice takes fewer bytes
// than least_bytes().
int64_t Fits::missing_in_stack(size_t zero) {
  const bool is_ruled = settler_.rule().recompute.kind.has_value();
  const std::vector<StackState>& states = stack_states(zero);
  const int64_t budget = zero_of(zero).usable_bytes;
  int64_t missing = 0;
  bool is_open = false;
  for (size_t i = 0; i < states.size(); ++i) {
    const Rank& rank = split_->ranks[i];
    const int64_t bytes = stack_->memory(states[i], rank.all_full).total_bytes;
    if (bytes <= budget) continue;
    is_open = true;
    const int64_t least = is_ruled ? bytes : stack_->least_bytes(states[i], rank.all);
    missing = std::max(missing, least - budget);
  }
  return missing > 0 || !is_open ? missing : settled_missing_bytes(zero);
}

int64_t Fits::missing_bytes(size_t zero) {
  if (job_.stack.keeps_memory) return missing_in_stack(zero);
  const Zero& known = zero_of(zero);
  if (known.follows_rows && fits_in_full(zero)) return 0;
  const std::vector<StateBytes>& state = state_bytes(zero);
  int64_t missing = 0;
  for (size_t i = 0; i < kept_.size(); ++i) {
    Kept& kept = kept_[i];
    const int64_t budget = known.most_usable_bytes - state[i].on_device - kept.passing_bytes;
    if (state[i].on_host > 0) {
      missing = std::max(missing, missing_host_bytes(job_, state[i].on_host));
    }
    if (kept.at_most <= budget) continue;
    // One rank that is too full settles it: the others' limits are not sharpened then.
    while (missing == 0 && kept.at_least <= budget && kept.at_most > budget)
      sharpen(split_->ranks[i], kept);
    missing = std::max(missing, kept.at_least - budget);
  }
  return missing > 0 || !known.follows_rows ? missing : settled_missing_bytes(zero);
}

}  // namespace argosy
