// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Bytes of one rank of each stage. Parameters, gradients, optimizer and activations are exact (the
// ledger's numbers, tests compare), buffers and workspace are upper bounds.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "planner/cost/activations.h"
#include "planner/cost/layer_costs.h"
#include "planner/spec/schedule.h"

namespace argosy {

using MemoryBytes = std::array<int64_t, kNumMemoryCategories>;  // by MemoryCategory

// Equal buckets of a rank of one stage, as RankLayout has them.
struct StageBucket {
  Domain domain = Domain::dense;
  BucketElements elements;
  int64_t count = 1;
  bool is_tied_table = false;  // first and last stage hold a copy each
  // Of a micro-batch: additions to its gradient, and gathers of its values with ZeRO-3.
  int64_t gradient_uses = 1, value_uses = 2;

  // Elements of one that the first rank of its data-parallel group updates.
  int64_t shard_elements(const Candidate& candidate) const;
};

// `is_copy`: the last stage holds a copy of the token embedding, for a tied head or to predict
// further tokens. `is_tied`: another pipeline rank holds one too.
std::vector<StageBucket> stage_buckets(const StageLayers& layers, const ElementTable& table,
                                       bool is_copy, bool is_tied);

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

// Of a rank with these layers in all: what lasts, and the temporaries of ZeRO 2 and 3; buffers and
// workspace of a micro-batch, which do not depend on ZeRO. What is kept for backward is the rest.
struct StateBytes {
  int64_t on_device = 0, on_host = 0;
};
StateBytes state_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                       bool is_copy, const ElementTable& elements);
// Its two parts. What lasts adds up: over layers of all kinds, and the copy.
StateBytes lasting_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                         bool is_copy, const ElementTable& elements);
int64_t temporary_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                        const ElementTable& elements);
int64_t passing_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                      const LayerCosts& costs);

// Of all stages on a rank.
StageLayers layers_of_rank(const Candidate& candidate, const std::vector<StageLayers>& stages,
                           int64_t pipeline_rank);

std::vector<StageLayers> layers_of_ranks(const Candidate& candidate,
                                         const std::vector<StageLayers>& stages);  // [pp]

// Does the rank hold a second copy of a tied table?
bool holds_copy(const ModelSpec& model, const Candidate& candidate, size_t num_stages,
                int64_t pipeline_rank);

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

// Optimizer state of one owned element as the trainer keeps it on its device, a master being the
// weight and a rest, and with whole masters, as other frameworks and a host that takes the
// optimizer do.
int64_t state_bytes_per_element(const Job& job);
int64_t whole_state_bytes_per_element(const Job& job);
// Bytes that the update moves for an owned element: gradient read, state and weight read and
// written. Where a whole master stands for the weight, this one is written alone.
int64_t update_bytes_per_element(const Job& job);
int64_t whole_update_bytes_per_element(const Job& job);

}  // namespace argosy
