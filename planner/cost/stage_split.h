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

// Layers of each stage, so that the longest forward and backward of a stage is as short as it can
// be; embedding, head and modules for multi-token prediction are work of the first and the last
// stage, nothing is computed again. Of equally good splits the default one, else the one whose last
// stages are as long as may be: those before them keep more micro-batches.
class LayerBalance {
 public:
  LayerBalance(const ModelSpec& model, const LayerTimes& times);
  std::vector<int64_t> layers(int64_t num_stages) const;  // [num_stages]

 private:
  double end_s(int64_t stage, int64_t num_stages) const;
  double longest_s(const std::vector<int64_t>& counts) const;
  std::vector<int64_t> fill(double most_s, int64_t num_stages) const;

  double first_s_, last_s_;
  std::vector<double> layer_s_;
};

std::vector<int64_t> balanced_layers(const ModelSpec& model, const LayerTimes& times,
                                     int64_t num_stages);

}  // namespace argosy
