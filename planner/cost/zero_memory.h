// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What ZeRO 2 and 3 hold of a layer or two of a stage while they run
// (trainer/parallel/data_parallel.h).
#pragma once

#include <cstdint>

#include "planner/cost/layer_costs.h"

namespace argosy {

// Whether the ranks that share shards keep a part each, from this ZeRO stage on: 2 for gradients, 3
// for values.
bool is_in_shards(const Candidate& candidate, int from_stage, Domain domain);

// The layer whose table the head uses: a tied head has none of its own.
const LayerElements& head_table(const ElementTable& table);

// ZeRO 2 and 3: unreduced gradients at once, of the two layers, following each other in the
// schedule, that are largest together. is_repeated: there are several micro-batches.
int64_t unreduced_gradient_elements(const Candidate& candidate, const StageLayers& layers,
                                    const ElementTable& table, bool is_repeated);

// ZeRO 3: gathered values at once, as they are stored, of two neighbouring layers; of mixed blocks
// an upper bound.
int64_t gathered_value_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                             const ElementTable& table);

}  // namespace argosy
