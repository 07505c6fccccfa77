// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/fits.h"

#include <algorithm>

#include "planner/cost/evaluate.h"
#include "planner/cost/memory.h"
#include "planner/cost/memory_band.h"
#include "planner/cost/offload.h"

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

Fits::Split& Fits::split_of(const Candidate& open) {
  // With a split backward, or where recomputation is dealt out, every rank may be the fullest.
  const bool any_rank =
      splits_backward(open.schedule) || settler_.rule().recompute.num_layers.has_value();
  const std::tuple key(open.schedule == ScheduleKind::zb_v, any_rank, open.layers_per_stage);
  const auto known = splits_.find(key);
  if (known != splits_.end()) return known->second;
  Candidate candidate = open;
  candidate.layer_recompute =
      ruled_recompute(settler_.rule().recompute, candidate.layers_per_stage);
  Split& split = splits_[key];
  split.stages = stage_layers(job_.model, candidate);
  for (const StageLayers& layers : split.stages) {
    const auto shape = std::find(split.shapes.begin(), split.shapes.end(), layers);
    split.shape_of_stage.push_back(static_cast<size_t>(shape - split.shapes.begin()));
    if (shape == split.shapes.end()) split.shapes.push_back(layers);
  }
  const auto pp = static_cast<size_t>(open.mesh.pp);
  for (size_t rank = 0; rank < pp; ++rank) {
    const auto same_as_before = [&] {
      for (size_t stage = rank; stage < split.stages.size(); stage += pp) {
        if (split.stages[stage] != split.stages[stage - 1]) return false;
      }
      return true;
    };
    if (!any_rank && rank > 1 && same_as_before()) continue;
    Rank one;
    one.rank = static_cast<int64_t>(rank);
    one.is_copy = holds_copy(job_.model, open, split.stages.size(), one.rank);
    one.all = layers_of_rank(open, split.stages, one.rank);
    for (size_t stage = 0; stage < split.stages.size(); ++stage) {
      const bool is_here = pipeline_rank_of_stage(open.schedule, open.mesh.pp,
                                                  static_cast<int64_t>(stage)) == one.rank;
      const size_t shape = split.shape_of_stage[stage];
      if (is_here && std::find(one.stages.begin(), one.stages.end(), shape) == one.stages.end())
        one.stages.push_back(shape);
    }
    split.ranks.push_back(one);
  }
  return split;
}

Candidate Fits::with_zero(size_t zero) const {
  Candidate candidate = *open_;
  candidate.zero_stage = point_.zeros[zero].stage;
  candidate.mesh.zero_shard = point_.zeros[zero].shard;
  return candidate;
}

const std::vector<StateBytes>& Fits::state_bytes(size_t zero) {
  const Candidate candidate = with_zero(zero);
  // What ZeRO 2 holds beside its shards depends on the order of the micro-batches.
  const bool is_repeated = num_microbatches(job_, candidate) > 1;
  const bool is_gpipe = candidate.schedule == ScheduleKind::gpipe;
  std::vector<StateBytes>& bytes = split_->state_bytes[{zero, is_gpipe, is_repeated}];
  if (!bytes.empty()) return bytes;
  const ElementTable& elements = settler_.cache().elements(candidate);
  for (const Rank& rank : split_->ranks) {
    bytes.push_back(argosy::state_bytes(job_, candidate, rank.all, rank.is_copy, elements));
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
    for (const size_t shape : rank.stages) {
      limits.add(activations_[shape][static_cast<size_t>(recompute)]);
    }
    kept.at_least = std::min(kept.at_least, passes.saved * limits.least_saved);
    kept.at_most = std::min(kept.at_most, passes.any * limits.most + limits.extra);
    if (is_ruled) break;
  }
  return kept;
}

void Fits::sharpen(const Rank& rank, Kept& kept) {
  if (kept.precision == Kept::coarse && !settler_.rule().recompute.kind) {
    kept.at_most = std::min(kept.at_most, recomputed_peak(rank, true));
    kept.precision = Kept::close_above;
  } else if (kept.precision == Kept::close_above) {
    kept.at_least = std::max(kept.at_least, recomputed_peak(rank, false));
    kept.precision = Kept::close;
  } else {
    kept.at_least = kept.at_most = least_kept(rank);
    kept.precision = Kept::exact;
  }
}

// Everything computed again is one choice, and nothing saves more than it does: only what runs
// again at a time may be less.
int64_t Fits::recomputed_peak(const Rank& rank, bool with_extra) {
  std::vector<StageActivations> stages(split_->stages.size());
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    if (pipeline_rank_of_stage(open_->schedule, open_->mesh.pp, static_cast<int64_t>(stage)) !=
        rank.rank) {
      continue;
    }
    stages[stage] =
        activations_[split_->shape_of_stage[stage]][static_cast<size_t>(Recompute::full)];
    if (!with_extra) stages[stage].extra_bytes = stages[stage].input_extra_bytes = 0;
  }
  if (short_ == nullptr) {
    const int64_t alive =
        in_flight(open_->schedule, open_->mesh.pp, num_microbatches(job_, *open_), rank.rank);
    return plain_activation_bytes(stages[static_cast<size_t>(rank.rank)], alive);
  }
  return activation_bytes(stages, short_->schedule.actions[static_cast<size_t>(rank.rank)]);
}

// With everything that may be computed again; exact.
int64_t Fits::least_kept(const Rank& rank) {
  const Schedule* list = short_ == nullptr ? nullptr : &short_->schedule;
  const int64_t m = num_microbatches(job_, *open_);
  if (!settler_.rule().recompute.kind) {
    return LeastRecompute(job_.model, *open_, m, split_->stages, *costs_, list)
        .least_bytes(rank.rank);
  }
  if (list != nullptr) {
    return activation_bytes(stage_activations(split_->stages, *costs_),
                            list->actions[static_cast<size_t>(rank.rank)]);
  }
  return plain_activation_bytes(stage_activations(split_->shapes[rank.stages.front()], *costs_),
                                in_flight(open_->schedule, open_->mesh.pp, m, rank.rank));
}

void Fits::look_at(const Candidate& open, const LayerCosts& costs) {
  open_ = &open;
  costs_ = &costs;
  split_ = &split_of(open);
  if (job_.stack.keeps_memory) return;
  short_ = is_plain(open.schedule)
               ? nullptr
               : &settler_.schedules().get(open.schedule, open.mesh.pp,
                                           num_microbatches(job_, open), open.virtual_stages);
  const bool is_ruled = settler_.rule().recompute.kind.has_value();
  activations_.resize(split_->shapes.size());
  for (size_t shape = 0; shape < split_->shapes.size(); ++shape) {
    for (size_t i = 0; i < (is_ruled ? 1 : kNumRecomputes); ++i) {
      const StageLayers& layers = split_->shapes[shape];
      activations_[shape][i] = stage_activations(
          is_ruled ? layers : recomputed(layers, static_cast<Recompute>(i)), costs);
    }
  }
  kept_.clear();
  for (const Rank& rank : split_->ranks) kept_.push_back(kept_on(rank));
}

// With any choice, as it would be evaluated.
int64_t Fits::settled_missing_bytes(const Candidate& candidate) {
  const Settled settled = settler_.settle(candidate);
  return std::max<int64_t>(0, argosy::missing_bytes(job_, settled.candidate, settled.memory));
}

int64_t Fits::missing_bytes(size_t zero) {
  const Candidate candidate = with_zero(zero);
  if (job_.stack.keeps_memory) return settled_missing_bytes(candidate);
  // Rows of experts leave less, so that none is a limit from above; more only where a plan is asked
  // for that rather does not fit.
  const int64_t usable = usable_bytes(job_, candidate, 0);
  const int64_t usable_of_rows = usable_bytes(job_, candidate, usable);
  if (usable_of_rows > usable) return settled_missing_bytes(candidate);
  const std::vector<StateBytes>& state = state_bytes(zero);
  int64_t missing = 0;
  for (size_t i = 0; i < kept_.size(); ++i) {
    Kept& kept = kept_[i];
    const int64_t budget = usable - state[i].on_device - kept.passing_bytes;
    if (state[i].on_host > 0) {
      missing = std::max(missing, missing_host_bytes(job_.cluster, state[i].on_host));
    }
    if (kept.at_most <= budget) continue;
    // One rank that is too full settles it: the others' limits are not sharpened then.
    while (missing == 0 && kept.at_least <= budget && kept.at_most > budget)
      sharpen(split_->ranks[i], kept);
    missing = std::max(missing, kept.at_least - budget);
  }
  return missing > 0 || usable_of_rows == usable ? missing : settled_missing_bytes(candidate);
}

}  // namespace argosy
