// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One plan, priced whether it fits or not, and the plans that lie one decision beside it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/cost/evaluate.h"
#include "planner/cost/job.h"

namespace argosy {

struct Priced {
  Plan plan;  // with its prediction
  StepUse use;
  int64_t missing_bytes = 0;  // 0: it fits
};

// The decisions of a plan that a search found.
Candidate candidate_of(const Plan& plan);

// Throws ConfigError if the candidate does not divide.
Priced price(const Job& job, const Candidate& candidate, LayerCostCache& cache);

// A candidate that differs in one decision, for example "recompute=full" or "tp=4, pp=16".
struct Neighbour {
  std::string change;
  Candidate candidate;
};

// All that divide: recomputation, ZeRO stage and shards, schedule, stages a rank, sequence
// parallelism, micro-batch doubled or halved, two degrees traded for each other. What the change
// leaves open is solved as the search does (settle.h).
std::vector<Neighbour> neighbours(const Job& job, const Candidate& candidate,
                                  LayerCostCache& cache);

// What a change of a plan does.
struct ChangeEffect {
  std::string change;
  int64_t bytes = 0;          // more on the fullest rank
  double time = 0;            // more, as a share of the plan's step
  int64_t missing_bytes = 0;  // 0: it fits
  std::string recompute;      // what is computed again now; "": as much as before
  // Of those that do not fit: the second change that makes it fit with the least time, "" if none
  // does; bytes and time of both, compared with the plan.
  std::string remedy;
  int64_t remedy_bytes = 0;
  double remedy_time = 0;
};

// Every neighbour of the plan, fastest first.
std::vector<ChangeEffect> change_effects(const Job& job, const Plan& plan);

}  // namespace argosy
