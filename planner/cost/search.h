// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The best plans for a job, proven within the model of cost: every point of the space is dismissed
// for a reason that is counted, or by a lower bound of its objective that no better plan can beat,
// or costed in full. The result does not depend on the number of threads.
#pragma once

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

}  // namespace argosy
