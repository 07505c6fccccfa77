// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The best plans for a job, proven within the model of cost: every point of the space is dismissed
// for a reason that is counted, or by a lower bound of its objective that no better plan can beat,
// or costed in full. The result does not depend on the number of threads.
#pragma once

#include <optional>
#include <vector>

#include "planner/cost/evaluate.h"
#include "planner/cost/fixed.h"
#include "planner/cost/job.h"
#include "planner/report/search_summary.h"

namespace argosy {

struct SearchResult {
  std::vector<Plan> plans;  // best first; equal ones by memory, then in the order of the space
  SearchSummary summary;
};

// Which plans are shown.
enum class Rows {
  best,      // the `top` best: often one layout with other numbers of stages or micro-batches
  distinct,  // of each layout (degrees and schedule) the best, then what is best besides
};

// Up to `top` plans, the best of all first. Throws ConfigError if `fixed` contradicts the job.
SearchResult search(const Job& job, const Fixed& fixed, int64_t top, int num_threads,
                    Rows rows = Rows::best);
// The same with what other searches of this job have costed, and for them: `cache` is of `job`.
SearchResult search(const Job& job, const Fixed& fixed, int64_t top, int num_threads, Rows rows,
                    LayerCostCache& cache);

// The best plan alone, if its objective (objective_value) is `at_most`: that of search(), found
// many times faster the closer the limit is, because what is worse by its lower bound is dismissed
// before anything is asked about its memory. None: no plan is as good. Throws ConfigError as
// search() does.
std::optional<Plan> best_plan(const Job& job, const Fixed& fixed, double at_most, int num_threads,
                              LayerCostCache& cache);

// The best plan, if its objective is not far above `guess`: the nearer it is, the sooner it is
// found. None: no plan is so good, or the guess is infinite.
std::optional<Plan> best_plan_near(const Job& job, const Fixed& fixed, double guess,
                                   int num_threads, LayerCostCache& cache);

}  // namespace argosy
