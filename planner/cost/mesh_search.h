// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The candidates of one mesh: those that divide and fit, with a lower bound of their objective, and
// why the others do not.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "planner/cost/search_space.h"
#include "planner/cost/settle.h"

namespace argosy {

// Points of a mesh that differ in ZeRO alone, with a lower bound of the objective that holds for
// all of them: their layers' compute and communication, nothing computed again.
struct Group {
  double bound = 0;
  int64_t micro_batch = 1;
  ScheduleChoice schedule;
  size_t split = 0;  // of MeshResult::splits
  // Of MeshResult::zeros: those that fit, or where memory is asked for late (MeshLimits) all that
  // divide.
  size_t first_zero = 0, end_zero = 0;
};

struct Missed {
  int64_t count = 0;
  int64_t missing_bytes = std::numeric_limits<int64_t>::max();  // of the nearest
  std::string nearest;
  std::optional<Candidate> too_large;  // the nearest of those that do not fit, open
};

inline constexpr const char* kOutOfMemory = "out of memory";

// What one mesh contributes; meshes are worked on in any order and merged in theirs. There are
// hundreds of thousands of groups: what they share is kept once.
struct MeshResult {
  const MeshPoint* point = nullptr;
  Candidate open;  // what is the same for all points of the mesh
  std::vector<Group> groups;
  std::vector<std::vector<int64_t>> splits;  // layers of each stage
  std::vector<ZeroChoice> zeros;
  std::map<std::string, Missed> missed;

  // Its recomputation is open.
  Candidate candidate(const Group& group, size_t zero) const;
};

// What is not worth looking at.
struct MeshLimits {
  // The fewest bytes that a point misses on any mesh so far: of what misses more a mesh does not
  // say what is nearest.
  std::atomic<int64_t> nearest_bytes{std::numeric_limits<int64_t>::max()};
  // Of the objective: groups whose bound is above it are left out, and are counted nowhere.
  double most_value = std::numeric_limits<double>::infinity();
  // For who wants the best plan alone: whether a group fits is not asked here. Most of them are
  // worse than the best plan by their bound, whether they fit or not.
  bool asks_memory_late = false;
};

// May be called by several threads with one settler and the same limits.
MeshResult search_mesh(const Job& job, const SearchSpace& space, const MeshPoint& point,
                       Settler& settler, MeshLimits& limits);

}  // namespace argosy
