// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Bytes of one rank of each stage. Parameters, gradients, optimizer and activations are exact (the
// ledger's numbers, tests compare), buffers and workspace are upper bounds.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/cost/activations.h"
#include "planner/cost/layer_costs.h"
#include "planner/cost/state_memory.h"
#include "planner/spec/schedule.h"

namespace argosy {

// Micro-batches alive at once on `stage`, at most; what max_in_flight() finds in the schedules.
int64_t in_flight(ScheduleKind schedule, int64_t num_stages, int64_t num_microbatches,
                  int64_t stage);

struct StageMemory {
  int64_t stage = 0;
  MemoryBytes bytes{};
  int64_t total_bytes = 0;
  int64_t host_bytes = 0;    // offloaded, beside them
  int64_t routed_bytes = 0;  // of the activations, rows of experts
};

// Buffers and workspace of a micro-batch, which do not depend on ZeRO.
int64_t passing_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                      const LayerCosts& costs);

StageMemory stage_memory(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, int64_t stage,
                         const ElementTable& elements, const LayerCosts& costs);

// A rank of a schedule with several stages on a rank, or with a split backward: its list is walked.
// `actions` is the rank's; StageMemory::stage is the first of its stages.
StageMemory rank_memory(const Job& job, const Candidate& candidate,
                        const std::vector<StageLayers>& stages, int64_t pipeline_rank,
                        const std::vector<Action>& actions, const ElementTable& elements,
                        const LayerCosts& costs);

// The stage (or pipeline rank) with the most bytes in all; of equals the first. `schedules`
// remembers lists of actions between calls.
StageMemory fullest_stage(const Job& job, const Candidate& candidate,
                          const std::vector<StageLayers>& stages, const ElementTable& elements,
                          const LayerCosts& costs, ShortSchedules* schedules = nullptr);

// One stage a rank, whole backward passes: in_flight() says it all.
inline bool is_plain(ScheduleKind schedule) {
  return schedule == ScheduleKind::gpipe || schedule == ScheduleKind::one_f_one_b;
}

}  // namespace argosy
