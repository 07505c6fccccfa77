// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Bytes that a rank holds for its layers whatever runs: parameters, gradients, optimizer, and what
// ZeRO 2 and 3 hold of a layer or two. Exact: the ledger's numbers (tests compare).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "planner/cost/layer_costs.h"

namespace argosy {

using MemoryBytes = std::array<int64_t, kNumMemoryCategories>;  // by MemoryCategory
inline int64_t& bytes_of(MemoryBytes& bytes, MemoryCategory category) {
  return bytes[static_cast<size_t>(category)];
}

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

// Of a rank with these layers in all, what lasts and the temporaries, by category.
struct StateMemory {
  MemoryBytes bytes{};
  int64_t host_bytes = 0;  // offloaded, beside them
};
StateMemory state_memory(const Job& job, const Candidate& candidate, const StageLayers& layers,
                         bool is_copy, const ElementTable& elements);

// The sums of these.
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

// Optimizer state of one owned element as the trainer keeps it, a master being the weight and a
// rest, and with whole masters, as other frameworks do.
int64_t state_bytes_per_element(const Job& job);
int64_t whole_state_bytes_per_element(const Job& job);
// Bytes that the update moves for an owned element: gradient read, state and weight read and
// written. Where a whole master stands for the weight, this one is written alone.
int64_t update_bytes_per_element(const Job& job);
int64_t whole_update_bytes_per_element(const Job& job);

}  // namespace argosy
