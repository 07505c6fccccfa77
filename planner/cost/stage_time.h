// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Seconds of each stage's actions.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "planner/cost/energy.h"
#include "planner/cost/layer_costs.h"
#include "planner/cost/step_time.h"
#include "planner/cost/traffic.h"

namespace argosy {

// Steps are as long as those of the slowest of all nodes: all seconds of stage_times() have this
// factor, 1 on one node.
double straggler_factor(const Job& job);

struct StageTime {
  StageDurations durations;
  double communication_s = 0;       // of one micro-batch, forward and backward: within `durations`
  double message_s = 0;             // of that, what messages between stages take
  double step_communication_s = 0;  // within reduce_s and optimizer_s
};

// One layer of a kind, one micro-batch.
struct LayerPass {
  double forward_s = 0, backward_s = 0, backward_weight_s = 0;
  double communication_s = 0;  // within the first two
};

// Times candidates that differ in nothing but micro-batch, recomputation, ZeRO stage, schedule and
// layers of stages: they share nearly all of the answer.
class StageTimer {
 public:
  // The job must outlive this. `placements`: of the candidates' mesh.
  StageTimer(const Job& job, const Placements& placements);

  // As stage_times().
  std::vector<StageTime> times(const Candidate& candidate, const std::vector<StageLayers>& stages,
                               const ElementTable& elements, const LayerCosts& costs);

 private:
  struct Passes {
    KnownLinks links;
    std::array<std::optional<LayerPass>, kNumLayerKinds> layers;
  };
  using PassKey = std::tuple<int64_t, Recompute, int>;  // micro_batch recompute zero_stage
  // zero_stage num_microbatches is_copy is_tied layers
  using EndKey = std::tuple<int, int64_t, bool, bool, StageLayers>;

  const LayerPass& pass_of(size_t kind, const Candidate& candidate, const ElementTable& elements,
                           const LayerCosts& costs, Passes& passes) const;
  const StepEnd& end_of(const Candidate& candidate, const StageLayers& layers, bool is_copy,
                        bool is_tied, const ElementTable& elements);
  void add_all_messages(const Candidate& candidate, std::vector<StageTime>& times) const;

  const Job& job_;
  Placements placements_;
  double straggler_;
  std::map<PassKey, Passes> passes_;
  std::map<EndKey, StepEnd> ends_;
};

// [stages] As the job's stack runs them: what it hides of the traffic of gradients and parameters
// is not in reduce_s and optimizer_s but for what it takes from the compute beside it, messages
// beside a pass slow it, and a pass is not faster than the host launches it.
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
