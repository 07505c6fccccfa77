// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The candidates of one mesh: those that divide and fit, with a lower bound of their objective, and
// why the others do not.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "planner/cost/layer_costs.h"
#include "planner/cost/search_space.h"

namespace argosy {

// A candidate that divides and fits, with a lower bound of its objective.
struct Promising {
  Candidate candidate;
  double bound = 0;
  int64_t peak_bytes = 0;
};

struct Missed {
  int64_t count = 0;
  int64_t missing_bytes = std::numeric_limits<int64_t>::max();
  std::string nearest;
};

// What one mesh contributes; meshes are worked on in any order and merged in theirs.
struct MeshResult {
  std::vector<Promising> promising;
  std::map<std::string, Missed> missed;
};

// May be called by several threads with one cache.
MeshResult search_mesh(const Job& job, const SearchSpace& space, const MeshPoint& point,
                       LayerCostCache& cache);

}  // namespace argosy
