// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// All points that a search looks at. A mesh: every factorisation of the devices into
// tp x pp x cp x dp, both kinds of cp, every ep that divides the experts, every etp that divides
// tp, sequence parallelism on and off; where offloading is allowed, with and without it. On each of
// these
//   micro-batch     every divisor of the batch of a data-parallel rank
//   ZeRO            0 to 3; from 1 on sharded over all of dp*cp, or over the part of it that
//                   fills a node or an island
//   schedule        gpipe, 1f1b, zb-h1, zb-v, interleaved with 2 stages a rank up to as many as
//                   there are layers for
// What is fixed is not varied. Layers per stage and recomputation per layer are not points: for
// each point they are solved (settle.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "planner/cost/fixed.h"
#include "planner/cost/job.h"

namespace argosy {

struct ZeroChoice {
  int stage = 0;
  int64_t shard = 0;  // Mesh::zero_shard
  bool operator==(const ZeroChoice&) const = default;
};

struct ScheduleChoice {
  ScheduleKind kind = ScheduleKind::one_f_one_b;
  int64_t virtual_stages = 1;
  bool operator==(const ScheduleChoice&) const = default;
};

// A mesh and what may be chosen on it.
struct MeshPoint {
  Mesh mesh;
  bool sequence_parallel = false;
  ContextParallel cp_kind = ContextParallel::ring;
  Offload offload = Offload::none;
  std::vector<int64_t> micro_batches;  // never empty: {1} if none divides
  std::vector<ZeroChoice> zeros;
  std::string reason;  // why no candidate on this mesh can run; empty: it can
};

// Tokens of a sequence that a rank keeps at least where cp is searched: what Llama 3 405B's ranks
// had of 131,072 with cp=16 (arXiv:2407.21783, table 4). A judgement, not a rule of the trainer:
// --fix cp=... goes further.
inline constexpr int64_t kFewestTokensOfPart = 8192;

struct SearchSpace {
  std::vector<MeshPoint> meshes;                             // in a fixed order
  std::map<int64_t, std::vector<ScheduleChoice>> schedules;  // by pp; never empty
  double moe_capacity_factor = 0;                            // of every candidate

  const std::vector<ScheduleChoice>& schedules_of(const MeshPoint& point) const {
    return schedules.at(point.mesh.pp);
  }
  int64_t points_per_micro_batch(const MeshPoint& point) const {
    return static_cast<int64_t>(point.zeros.size() * schedules_of(point).size());
  }
  int64_t num_points() const;
};

SearchSpace search_space(const Job& job, const Fixed& fixed);

// Why tensor parallelism of this degree cannot cut the model; empty: it can.
std::string tp_reason(const ModelSpec& model, int64_t tp);

// What micro_batch_reason() says of points whose mesh divides.
inline constexpr const char* kBatchReason = "dp*micro_batch does not divide the global batch";
inline constexpr const char* kTokensReason = "tp does not divide the tokens of a micro-batch";

// Why a micro-batch cannot run on an otherwise good mesh; empty: it can.
std::string micro_batch_reason(const Job& job, const MeshPoint& point, int64_t micro_batch);

}  // namespace argosy
