// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/settle.h"

#include <algorithm>

#include "planner/cost/evaluate.h"
#include "planner/cost/memory.h"
#include "planner/cost/memory_band.h"
#include "planner/cost/rank_layers.h"
#include "planner/cost/state_memory.h"

namespace argosy {

SettleRule settle_rule(const Fixed& fixed) {
  return {{fixed.recompute, fixed.recompute_layers}, fixed.layers};
}

std::string shortage_of(const Job& job, const Settled& settled) {
  return describe_shortage(settled.memory, settled.candidate,
                           usable_bytes(job, settled.candidate, settled.memory.routed_bytes));
}

// On the first `num_ranks`. False: nothing fits. `routed_bytes`: rows of experts that the budget is
// for.
bool Settler::choose_recompute(Candidate& candidate, const LayerCosts& costs,
                               const LayerTimes& times, int64_t routed_bytes, int64_t num_ranks) {
  const int64_t usable = usable_bytes(job_, candidate, routed_bytes);
  const ElementTable& elements = cache_.elements(candidate);
  const std::vector<StageLayers> stages = stage_layers(job_.model, candidate);
  const int64_t m = num_microbatches(job_, candidate);
  const ShortSchedule* schedule =
      is_plain(candidate.schedule)
          ? nullptr
          : &schedules_.get(candidate.schedule, candidate.mesh.pp, m, candidate.virtual_stages);
  std::optional<StackRecompute> stack;
  if (job_.stack.keeps_memory) {
    stack.emplace(StackRecompute{{job_, candidate, costs, schedules_}, {}});
    for (int64_t rank = 0; rank < num_ranks; ++rank) {
      stack->states.push_back(
          stack_state(job_, candidate, rank, layers_of_rank(candidate, stages, rank), elements));
    }
  }
  const LeastRecompute least(job_.model, candidate, m, stages, costs, schedule,
                             stack ? &*stack : nullptr);
  std::vector<Recompute> layers(static_cast<size_t>(job_.model.num_layers), Recompute::none);
  for (int64_t rank = 0; rank < num_ranks; ++rank) {
    int64_t budget = usable;
    if (!stack) {
      const StageLayers all = layers_of_rank(candidate, stages, rank);
      const bool is_copy = holds_copy(job_.model, candidate, stages.size(), rank);
      budget -= state_bytes(job_, candidate, all, is_copy, elements).on_device +
                passing_bytes(job_, candidate, all, costs);
    }
    if (!least.choose(rank, budget, times, layers)) return false;
  }
  set_recompute(layers, candidate);
  return true;
}

bool Settler::take(Candidate candidate, Settled& settled) {
  settled.memory = fullest_stage(job_, candidate, stage_layers(job_.model, candidate),
                                 cache_.elements(candidate), cache_.costs(candidate), &schedules_);
  settled.fits = missing_bytes(job_, candidate, settled.memory) <= 0;
  settled.candidate = std::move(candidate);
  return settled.fits;
}

bool Settler::take_uniform(Candidate open, Recompute recompute, Settled& settled) {
  open.recompute = recompute;
  open.layer_recompute.clear();
  return take(std::move(open), settled);
}

// The rows of experts that are kept say what may be kept: less and less, until both agree.
bool Settler::take_least(const Candidate& open, const LayerTimes& times, Settled& settled) {
  constexpr int kTries = 4;
  int64_t routed_bytes = 0;
  for (int i = 0; i < kTries; ++i) {
    Candidate chosen = open;
    if (!choose_recompute(chosen, cache_.costs(open), times, routed_bytes, open.mesh.pp))
      return false;
    if (take(std::move(chosen), settled)) return true;
    if (settled.memory.routed_bytes <= routed_bytes) return false;
    routed_bytes = settled.memory.routed_bytes;
  }
  return false;
}

bool Settler::fits_in_full(const Candidate& open) {
  Settled settled;
  return !rule_.recompute.kind && take_uniform(open, Recompute::full, settled);
}

LayerTimes Settler::times_of(const Candidate& open) {
  return layer_times(job_, open, cache_.elements(open), cache_.costs(open),
                     place_all(open.mesh, job_), true);
}

FirstRank Settler::settle_first_rank(const Candidate& open) {
  FirstRank first{open, 0};
  if (rule_.recompute.kind) return first;
  // The most that may be kept, however many rows of experts there are.
  const int64_t memory = job_.cluster.accelerator.memory_bytes;
  const bool grows = usable_bytes(job_, open, memory) > usable_bytes(job_, open, 0);
  const LayerTimes times = times_of(open);
  if (!choose_recompute(first.candidate, cache_.costs(open), times, grows ? memory : 0, 1)) {
    return {open, 0};
  }
  const StageLayers layers = stage_layers(job_.model, first.candidate).front();
  const auto backward_s = [&times](size_t kind) { return times[kind].durations.backward_s; };
  const bool is_uniform = first.candidate.layer_recompute.empty();
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    const size_t base = kind % kNumBaseKinds;
    const size_t chosen =
        is_uniform && is_block(kind)
            ? static_cast<size_t>(with_recompute(base_kind(kind), first.candidate.recompute))
            : kind;
    first.first_stage_s +=
        static_cast<double>(layers[kind]) * (backward_s(chosen) - backward_s(base));
  }
  return first;
}

Settled Settler::settle(Candidate open) {
  set_recompute({}, open);
  std::optional<LayerTimes> times;
  const auto needed_times = [&]() -> const LayerTimes& {
    if (!times) {
      times = times_of(open);
    }
    return *times;
  };
  if (rule_.layers) {
    open.layers_per_stage = *rule_.layers;
  } else if (open.layers_per_stage.empty()) {
    open.layers_per_stage = balanced_layers(job_.model, needed_times(), open.num_stages());
  }
  Settled settled;
  if (rule_.recompute.kind) {
    set_recompute(ruled_recompute(rule_.recompute, open.layers_per_stage), open);
    take(std::move(open), settled);
    return settled;
  }
  if (take_uniform(open, Recompute::none, settled)) return settled;
  const bool fits = take_least(open, needed_times(), settled);
  if (!fits) take_uniform(open, Recompute::full, settled);
  return settled;
}

}  // namespace argosy
