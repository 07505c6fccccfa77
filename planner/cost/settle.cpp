// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/settle.h"

#include "planner/cost/evaluate.h"
#include "planner/cost/memory.h"

namespace argosy {

SettleRule settle_rule(const Fixed& fixed) {
  return {{fixed.recompute, fixed.recompute_layers}, fixed.layers};
}

// False: nothing fits.
bool Settler::choose_recompute(Candidate& candidate, const LayerCosts& costs,
                               const LayerTimes& times) {
  const ElementTable& elements = cache_.elements(candidate);
  const std::vector<StageLayers> stages = stage_layers(job_.model, candidate);
  const int64_t m = num_microbatches(job_, candidate);
  const Schedule* schedule =
      is_plain(candidate.schedule)
          ? nullptr
          : &schedules_.get(candidate.schedule, candidate.mesh.pp, m, candidate.virtual_stages)
                 .schedule;
  const LeastRecompute least(job_.model, candidate, m, stages, costs, schedule);
  std::vector<Recompute> layers(static_cast<size_t>(job_.model.num_layers), Recompute::none);
  for (int64_t rank = 0; rank < candidate.mesh.pp; ++rank) {
    const StageLayers all = layers_of_rank(candidate, stages, rank);
    const bool is_copy = holds_copy(job_.model, candidate, stages.size(), rank);
    const int64_t budget = usable_bytes(job_.cluster.accelerator) -
                           state_bytes(job_, candidate, all, is_copy, elements).on_device -
                           passing_bytes(job_, candidate, all, costs);
    if (!least.choose(rank, budget, times, layers)) return false;
  }
  set_recompute(layers, candidate);
  return true;
}

StageMemory Settler::memory_of(const Candidate& candidate) {
  return fullest_stage(job_, candidate, stage_layers(job_.model, candidate),
                       cache_.elements(candidate), cache_.costs(candidate), &schedules_);
}

Settled Settler::settle(Candidate open) {
  set_recompute({}, open);
  const LayerCosts& costs = cache_.costs(open);
  std::optional<LayerTimes> times;
  const auto needed_times = [&]() -> const LayerTimes& {
    if (!times) {
      times =
          layer_times(job_, open, cache_.elements(open), costs, place_all(open.mesh, job_), true);
    }
    return *times;
  };
  if (rule_.layers) {
    open.layers_per_stage = *rule_.layers;
  } else if (open.layers_per_stage.empty()) {
    open.layers_per_stage = balanced_layers(job_.model, needed_times(), open.num_stages());
  }
  if (rule_.recompute.kind) {
    set_recompute(ruled_recompute(rule_.recompute, open.layers_per_stage), open);
  }
  Settled settled;
  settled.memory = memory_of(open);
  if (settled.memory.total_bytes > usable_bytes(job_.cluster.accelerator) &&
      !rule_.recompute.kind) {
    if (!choose_recompute(open, costs, needed_times())) open.recompute = Recompute::full;
    settled.memory = memory_of(open);
  }
  settled.fits = missing_bytes(job_, settled.memory) <= 0;
  settled.candidate = std::move(open);
  return settled;
}

}  // namespace argosy
