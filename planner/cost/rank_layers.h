// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which layers a pipeline rank holds.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/cost/layer_costs.h"

namespace argosy {

int64_t rank_of_stage(const Candidate& candidate, size_t stage);

// Of all stages on a rank.
StageLayers layers_of_rank(const Candidate& candidate, const std::vector<StageLayers>& stages,
                           int64_t pipeline_rank);

std::vector<StageLayers> layers_of_ranks(const Candidate& candidate,
                                         const std::vector<StageLayers>& stages);  // [pp]

// Does the rank hold a second copy of a tied table?
bool holds_copy(const ModelSpec& model, const Candidate& candidate, size_t num_stages,
                int64_t pipeline_rank);

}  // namespace argosy
