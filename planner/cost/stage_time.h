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
// travel while attention works on the keys that came before; a receive takes no time besides its
// send. The job's stack hides its share of tp, where NVLink joins the group, and of ep, as far as
// there is compute beside it (`hiding`).
using AxisSeconds = std::array<double, kNumAxes>;
AxisSeconds exposed_seconds(const std::vector<CollectiveWork>& collectives, const Hiding& hiding,
                            const Placements& placements, const Job& job);

// Remembers the seconds of one call of each collective, for one job and its placements: layers of
// all kinds call the same ones.
class KnownLinks {
 public:
  double seconds(const Job& job, const CollectiveWork& work, const Placements& placements);

 private:
  struct Entry {
    CollectiveKind kind;
    Axis axis;
    int64_t bytes;
    double seconds;
  };
  std::vector<Entry> entries_;  // few
};
AxisSeconds exposed_seconds(const std::vector<CollectiveWork>& collectives, const Hiding& hiding,
                            const Placements& placements, const Job& job, KnownLinks& known);

// Seconds that a pass of `busy_s`, exposed traffic included, waits for the host to launch it.
double host_wait_s(const Job& job, double busy_s, double num_launches,
                   const std::vector<CollectiveWork>& collectives, const Placements& placements);

// Steps are as long as those of the slowest of all nodes: all seconds of stage_times() have this
// factor, 1 on one node.
double straggler_factor(const Job& job);

struct StageTime {
  StageDurations durations;
  double communication_s = 0;       // of one micro-batch, forward and backward: within `durations`
  double step_communication_s = 0;  // within reduce_s and optimizer_s
};

// What step_work() says of a rank with these buckets, without laying out its tensors (collectives
// of groups of one rank may be among them). Other frameworks: their bytes on the wire, in buckets
// of their size, and with ZeRO 2 and 3 without what belongs to the layers' passes.
Pass step_pass(const Job& job, const Candidate& candidate, const std::vector<StageBucket>& buckets);

// [stages] As the job's stack runs them: what it hides of the traffic of gradients and parameters
// is not in reduce_s and optimizer_s but for what it takes from the compute beside it, and a pass
// is not faster than the host launches it.
std::vector<StageTime> stage_times(const Job& job, const Candidate& candidate,
                                   const std::vector<StageLayers>& stages,
                                   const ElementTable& elements, const LayerCosts& costs,
                                   const Placements& placements);

// [kinds] One layer of each kind alone, one micro-batch: what stage_times() adds up, without
// messages between stages, reductions and updates.
std::array<StageTime, kNumLayerKinds> passes_of_kinds(const Job& job, const Candidate& candidate,
                                                      const ElementTable& elements,
                                                      const LayerCosts& costs,
                                                      const Placements& placements);

// How the average rank spends a step of `step_s`: the rest is the bubble.
StepUse step_use(const std::vector<StageTime>& times, int64_t num_microbatches, int64_t num_ranks,
                 double step_s);

}  // namespace argosy
