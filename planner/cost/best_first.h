// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The best of what meshes contribute: what has the best bound is looked at first, until no bound is
// left that a plan of the best would not beat.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <tuple>
#include <vector>

#include "planner/cost/job.h"
#include "planner/cost/memory.h"
#include "planner/cost/mesh_search.h"
#include "planner/cost/search.h"
#include "planner/cost/settle.h"
#include "planner/cost/stage_time.h"

namespace argosy {

// Values that differ by rounding alone are equal: GPipe and 1F1B add the same times in other order.
inline float rounded_value(double value) {
  return static_cast<float>(value);
}

// A candidate in its place, decided and simulated.
struct Costed {
  Candidate candidate;
  std::vector<StageTime> times;
  StageMemory memory;
  float value = 0;
  size_t order = 0;  // in the space
  auto key() const { return std::tuple(value, memory.total_bytes, order); }
};

struct Found {
  std::vector<Costed> plans;  // best first
  int64_t num_feasible = 0;
  std::set<size_t> evaluated;  // places in the space of those that were simulated
};

// Up to `top` of them. Everything must outlive the call; `limits` are those that the meshes were
// searched with.
Found find_best(const Job& job, const std::vector<MeshResult>& meshes, const MeshLimits& limits,
                size_t top, Rows rows, Settler& settler);

}  // namespace argosy
