// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Seconds of each stage's actions.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "planner/cost/collective.h"
#include "planner/cost/energy.h"
#include "planner/cost/layer_costs.h"
#include "planner/cost/memory.h"

namespace argosy {

// Where the groups of every axis sit.
using Placements = std::array<GroupPlacement, kNumAxes>;
Placements place_all(const Mesh& mesh, const Job& job);

// Seconds of a layer's collectives that no compute hides, by axis. Messages of the ring over cp
// travel while attention works on the keys that came before (`hiding_s`, of hiding_seconds()); a
// receive takes no time besides its send.
using AxisSeconds = std::array<double, kNumAxes>;
AxisSeconds exposed_seconds(const std::vector<CollectiveWork>& collectives, double hiding_s,
                            const Placements& placements, const ClusterSpec& cluster);

struct StageTime {
  StageDurations durations;
  double communication_s = 0;       // of one micro-batch, forward and backward: within `durations`
  double step_communication_s = 0;  // within reduce_s and optimizer_s
};

// What step_work() says of a rank with these buckets, without laying out its tensors (collectives
// of groups of one rank may be among them).
Pass step_pass(const Job& job, const Candidate& candidate, const std::vector<StageBucket>& buckets);

// [stages]
std::vector<StageTime> stage_times(const Job& job, const Candidate& candidate,
                                   const std::vector<StageLayers>& stages,
                                   const ElementTable& elements, const LayerCosts& costs,
                                   const Placements& placements);

// How the average rank spends a step of `step_s`: the rest is the bubble.
StepUse step_use(const std::vector<StageTime>& times, int64_t num_microbatches, int64_t num_ranks,
                 double step_s);

}  // namespace argosy
