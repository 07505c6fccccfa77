// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which layers are computed again: as few as fit.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "planner/cost/activations.h"
#include "planner/cost/stack_memory.h"
#include "planner/cost/stage_split.h"

namespace argosy {

// What --fix leaves of the choice.
struct RecomputeRule {
  std::optional<Recompute> kind;      // of all layers, or of num_layers of them
  std::optional<int64_t> num_layers;  // with a kind: dealt to the stages in proportion
};

// Where another framework's memory counts: what ranks hold besides.
struct StackRecompute {
  StackRanks ranks;
  std::vector<StackState> states;  // [pp]
};

// Chooses for one rank after the other. Of a rank's layers, in the order of its stages, the first
// ones are computed again in full, those behind them selectively, the others not at all: of all
// such choices that fit the one that adds the least seconds, of equal ones the one with fewer
// layers in full. A schedule with durations that are nowhere longer is not slower, so that with one
// stage a rank the least seconds of each rank are the best for the step.
class LeastRecompute {
 public:
  // The references must outlive this. `stages`: the split, nothing computed again. `schedule`:
  // for ranks with several stages or a split backward. `stack`: where another framework's memory
  // counts; budgets are then of all that the rank holds.
  LeastRecompute(const ModelSpec& model, const Candidate& candidate, int64_t num_microbatches,
                 const std::vector<StageLayers>& stages, const LayerCosts& costs,
                 const ShortSchedule* schedule, const StackRecompute* stack = nullptr);

  // What the rank keeps at least, whatever is computed again.
  int64_t least_bytes(int64_t rank) const;

  // Fills in the rank's layers of `layers` [num_layers]; false: nothing fits into `budget_bytes`.
  // `times` with blocks that are computed again.
  bool choose(int64_t rank, int64_t budget_bytes, const LayerTimes& times,
              std::vector<Recompute>& layers) const;

 private:
  struct Rank;
  class Kept;
  Rank rank_of(int64_t rank) const;
  // How many blocks in part behind `num_full` in full fit, at least; -1: no number does.
  int64_t fewest_selective(Kept& kept, int64_t num_full, int64_t num_open,
                           int64_t budget_bytes) const;

  const ModelSpec& model_;
  const Candidate& candidate_;
  int64_t num_microbatches_;
  const std::vector<StageLayers>& stages_;
  const LayerCosts& costs_;
  const ShortSchedule* schedule_;
  const StackRecompute* stack_;
};

// [num_layers] Where the rule says it all; empty: it is for choose() to say.
std::vector<Recompute> ruled_recompute(const RecomputeRule& rule,
                                       const std::vector<int64_t>& layers_per_stage);

}  // namespace argosy
