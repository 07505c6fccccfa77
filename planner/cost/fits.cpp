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

Fits::Split Fits::make_split(const Candidate& open, bool any_rank) const {
  Candidate candidate = open;
  candidate.layer_recompute =
      ruled_recompute(settler_.rule().recompute, candidate.layers_per_stage);
  Split split;
  split.stages = stage_layers(job_.model, candidate);
  split.state_bytes.resize(4 * point_.zeros.size());
  for (const StageLayers& layers : split.stages) {
    const auto shape = std::find(split.shapes.rbegin(), split.shapes.rend(), layers);
    split.shape_of_stage.push_back(static_cast<size_t>(split.shapes.rend() - shape) - 1);
    if (shape != split.shapes.rend()) continue;
    split.shape_of_stage.back() = split.shapes.size();
    split.shapes.push_back(layers);
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
    split.ranks.push_back(std::move(rank));
  }
  return split;
}

Fits::Split& Fits::split_of(const Candidate& open) {
  // With a split backward, or where recomputation is dealt out, every rank may be the fullest.
  const bool any_rank =
      splits_backward(open.schedule) || settler_.rule().recompute.num_layers.has_value();
  const std::tuple key(open.schedule == ScheduleKind::zb_v, any_rank, open.layers_per_stage);
  const auto known = splits_.find(key);
  if (known != splits_.end()) return known->second;
  return splits_.emplace(key, make_split(open, any_rank)).first->second;
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
  known->usable_bytes_of_rows = usable_bytes(job_, candidate, known->usable_bytes);
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

Fits::Kept Fits::kept_on(const Rank& rank) const {
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
    const ActivationPeak peak = recomputed_peak(rank);
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
ActivationPeak Fits::recomputed_peak(const Rank& rank) {
  const auto again = [&](size_t stage) -> const StageActivations& {
    return activations_[split_->shape_of_stage[stage]][static_cast<size_t>(Recompute::full)];
  };
  if (short_ == nullptr) {
    const StageActivations& stage = again(rank.stages.front());
    const int64_t alive =
        in_flight(open_->schedule, open_->mesh.pp, num_microbatches(job_, *open_), rank.rank);
    return {plain_activation_bytes(stage, alive), alive * stage.saved_bytes};
  }
  recomputed_.resize(split_->stages.size());
  for (const size_t stage : rank.stages) recomputed_[stage] = again(stage);
  return activation_peak(recomputed_, short_->schedule.actions[static_cast<size_t>(rank.rank)]);
}

// With everything that may be computed again; exact.
int64_t Fits::least_kept(const Rank& rank) const {
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
  return plain_activation_bytes(stage_activations(split_->shapes[rank.shapes.front()], *costs_),
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

int64_t Fits::settled_missing_bytes(size_t zero) {
  Candidate candidate = *open_;
  candidate.zero_stage = point_.zeros[zero].stage;
  candidate.mesh.zero_shard = point_.zeros[zero].shard;
  const Settled settled = settler_.settle(std::move(candidate));
  return std::max<int64_t>(0, argosy::missing_bytes(job_, settled.candidate, settled.memory));
}

int64_t Fits::missing_bytes(size_t zero) {
  if (job_.stack.keeps_memory) return settled_missing_bytes(zero);
  // Rows of experts leave less, so that none is a limit from above; more only where a plan is asked
  // for that rather does not fit.
  const Zero& known = zero_of(zero);
  if (known.usable_bytes_of_rows > known.usable_bytes) return settled_missing_bytes(zero);
  const std::vector<StateBytes>& state = state_bytes(zero);
  int64_t missing = 0;
  for (size_t i = 0; i < kept_.size(); ++i) {
    Kept& kept = kept_[i];
    const int64_t budget = known.usable_bytes - state[i].on_device - kept.passing_bytes;
    if (state[i].on_host > 0) {
      missing = std::max(missing, missing_host_bytes(job_.cluster, state[i].on_host));
    }
    if (kept.at_most <= budget) continue;
    // One rank that is too full settles it: the others' limits are not sharpened then.
    while (missing == 0 && kept.at_least <= budget && kept.at_most > budget)
      sharpen(split_->ranks[i], kept);
    missing = std::max(missing, kept.at_least - budget);
  }
  const bool is_sure = missing > 0 || known.usable_bytes_of_rows == known.usable_bytes;
  return is_sure ? missing : settled_missing_bytes(zero);
}

}  // namespace argosy
