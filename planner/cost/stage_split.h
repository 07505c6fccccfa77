// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which layers make a stage: the split whose slowest stage is the fastest.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "planner/cost/stage_time.h"

namespace argosy {

// One layer of each kind, one micro-batch, as stage_times() has it: without messages between
// stages, reductions and updates. Blocks that are computed again take 0 unless with_recomputed.
using LayerTimes = std::array<StageTime, kNumLayerKinds>;
LayerTimes layer_times(const Job& job, const Candidate& candidate, const ElementTable& elements,
                       const LayerCosts& costs, const Placements& placements, bool with_recomputed);

// Stages of these layers, added up.
std::vector<StageTime> add_layers(const std::vector<StageLayers>& stages, const LayerTimes& times);

// [num_stages] Layers of each stage, so that the longest forward and backward of a stage is as
// short as it can be; embedding and head are work of the first and the last stage, nothing is
// computed again. Of equally good splits the default one, else the one
// whose last stages are as long as may be: those before them keep more micro-batches.
std::vector<int64_t> balanced_layers(const ModelSpec& model, const LayerTimes& times,
                                     int64_t num_stages);

}  // namespace argosy
