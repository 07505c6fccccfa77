// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The candidates of one mesh: those that divide and fit, with a lower bound of their objective, and
// why the others do not.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "planner/cost/search_space.h"
#include "planner/cost/settle.h"

namespace argosy {

// Points that differ in ZeRO alone, with a lower bound of the objective that holds for all of them:
// their layers' compute and communication, nothing computed again.
struct Group {
  Candidate open;                 // zero_stage, zero_shard and what settle() decides are open
  std::vector<ZeroChoice> zeros;  // those that fit
  double bound = 0;
};

struct Missed {
  int64_t count = 0;
  int64_t missing_bytes = std::numeric_limits<int64_t>::max();  // at least, of the nearest
  std::string nearest;
  std::optional<Candidate> too_large;  // the nearest of those that do not fit, open
};

inline constexpr const char* kOutOfMemory = "out of memory";

// What one mesh contributes; meshes are worked on in any order and merged in theirs.
struct MeshResult {
  std::vector<Group> groups;
  std::map<std::string, Missed> missed;
};

// May be called by several threads with one settler.
MeshResult search_mesh(const Job& job, const SearchSpace& space, const MeshPoint& point,
                       Settler& settler);

}  // namespace argosy
