// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The decisions that a point of the search space leaves open, solved: which layers make a stage
// (balanced_layers) and which are computed again (LeastRecompute), unless they are fixed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "planner/cost/fixed.h"
#include "planner/cost/least_recompute.h"
#include "planner/cost/memory.h"

namespace argosy {

struct SettleRule {
  RecomputeRule recompute;
  std::optional<std::vector<int64_t>> layers;  // of each stage
};
SettleRule settle_rule(const Fixed& fixed);

struct Settled {
  Candidate candidate;  // everything decided; what does not fit computes all again that it may
  StageMemory memory;   // of its fullest rank
  bool fits = false;
};

// What it is short of, and where.
std::string shortage_of(const Job& job, const Settled& settled);

// A candidate whose first rank alone computes again what it must. With less memory other layers of
// the rank may be chosen, which take no less time in all: a step of what settle() chooses is not
// shorter but for `first_stage_s`.
struct FirstRank {
  Candidate candidate;
  double first_stage_s = 0;  // what its first stage computes again of a micro-batch
};

// May be used by several threads.
class Settler {
 public:
  // The references must outlive this.
  Settler(const Job& job, const SettleRule& rule, LayerCostCache& cache)
      : job_(job), rule_(rule), cache_(cache) {}

  // Layers that `open` has already are kept, its recomputation is not.
  Settled settle(Candidate open);

  // What the first rank computes again at least: a small part of settle(). `open` has its layers.
  FirstRank settle_first_rank(const Candidate& open);

  // With everything computed again, if that is open: then settle() finds a choice that fits.
  // `open` has its layers.
  bool fits_in_full(const Candidate& open);

  const SettleRule& rule() const { return rule_; }
  LayerCostCache& cache() { return cache_; }
  ShortSchedules& schedules() { return schedules_; }

 private:
  bool take(Candidate candidate, Settled& settled);
  bool take_uniform(Candidate open, Recompute recompute, Settled& settled);
  bool take_least(const Candidate& open, const LayerTimes& times, Settled& settled);
  bool choose_recompute(Candidate& candidate, const LayerCosts& costs, const LayerTimes& times,
                        int64_t routed_bytes, int64_t num_ranks);
  LayerTimes times_of(const Candidate& open);

  const Job& job_;
  const SettleRule rule_;
  LayerCostCache& cache_;
  ShortSchedules schedules_;
};

}  // namespace argosy
