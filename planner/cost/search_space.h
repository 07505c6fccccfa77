// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// All points that a search may look at: every factorisation of the devices into tp x pp x cp x dp,
// both kinds of cp, every ep that divides the experts, every etp that divides tp, and for each of
// these meshes every micro-batch that divides the batch of a data-parallel rank, ZeRO 0 and 1,
// GPipe and 1F1B (or what schedule is fixed), recomputation of nothing, of attention's softmax, of
// all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/cost/fixed.h"
#include "planner/cost/job.h"

namespace argosy {

// A mesh and what may be chosen on it.
struct MeshPoint {
  Mesh mesh;
  bool sequence_parallel = false;
  ContextParallel cp_kind = ContextParallel::ring;
  std::vector<int64_t> micro_batches;  // never empty: {1} if none divides
  std::string reason;                  // why no candidate on this mesh can run; empty: it can
};

// Tokens of a sequence that a rank keeps at least where cp is searched: what Llama 3 405B's ranks
// had of 131,072 with cp=16 (arXiv:2407.21783, table 4). A judgement, not a rule of the trainer:
// --fix cp=... goes further.
inline constexpr int64_t kFewestTokensOfPart = 8192;

struct SearchSpace {
  std::vector<MeshPoint> meshes;  // in a fixed order
  std::vector<int> zero_stages;
  std::vector<ScheduleKind> schedules;
  int64_t virtual_stages = 1;       // of each of these schedules
  double moe_capacity_factor = 0;   // of every candidate
  Offload offload = Offload::none;  // of every candidate
  std::vector<Recompute> recomputes;

  int64_t points_per_micro_batch() const {
    return static_cast<int64_t>(zero_stages.size() * schedules.size() * recomputes.size());
  }
  int64_t num_points() const;
};

SearchSpace search_space(const Job& job, const Fixed& fixed);

// Why tensor parallelism of this degree cannot cut the model; empty: it can.
std::string tp_reason(const ModelSpec& model, int64_t tp);

// Why a micro-batch cannot run on an otherwise good mesh; empty: it can.
std::string micro_batch_reason(const Job& job, const MeshPoint& point, int64_t micro_batch);

}  // namespace argosy
