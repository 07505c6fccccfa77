// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Bytes of the fullest rank of a run as frameworks of others keep them.
#pragma once

#include <array>
#include <vector>

#include "planner/cost/memory.h"

namespace argosy {

// What is whole at a time: of a block, and of the head or the embedding, whose table is in it.
struct StackWhole {
  double weights = 0, with_gradient = 0;  // bytes
};

// What a rank holds whatever is kept for backward.
struct StackState {
  int64_t rank = 0;
  bool is_sharded = false;  // its weights are
  StageMemory memory;       // weights, gradients and optimizer
  StackWhole block, edge;
  double table = 0;    // trained elements of the largest table
  double updated = 0;  // elements that the rank's optimizer updates
};
// `layers`: the rank's, computed again or not. Of the candidate its mesh, ZeRO and task count.
StackState stack_state(const Job& job, const Candidate& candidate, int64_t rank,
                       const StageLayers& layers, const ElementTable& elements);

// Allocated at the peak by ranks of a candidate's pipeline: weights, gradients, optimizer, what is
// kept for backward, logits (workspace), and the profile's constant (buffers).
class StackRanks {
 public:
  // References must outlive this. `alive` [pp]: micro-batches alive at once on each rank of the
  // pipeline, of chunks of a virtual stage.
  StackRanks(const Job& job, const Candidate& candidate, const LayerCosts& costs,
             std::vector<int> alive);
  // Those of the candidate's schedule; `schedules` remembers lists of actions between calls.
  StackRanks(const Job& job, const Candidate& candidate, const LayerCosts& costs,
             ShortSchedules& schedules);

  // With the rank's layers, computed again as their kinds and the candidate say.
  StageMemory memory(const StackState& state, const StageLayers& layers) const;
  // No choice of what is computed again takes fewer; neither `layers` nor the candidate have made
  // one.
  int64_t least_bytes(const StackState& state, const StageLayers& layers) const;
  StageMemory fullest(const std::vector<StageLayers>& stages, const ElementTable& elements) const;

 private:
  // What a micro-batch keeps of one layer, and what is held while it is computed again.
  struct LayerBytes {
    double saved = 0, again = 0;
  };
  LayerBytes layer_bytes(const LayerCosts& costs, size_t kind) const;
  void add_moment(const StackState& state, double working, StageMemory& memory) const;
  StageMemory memory(const StackState& state, double kept, double working) const;

  const Job& job_;
  const Candidate& candidate_;
  std::vector<int> alive_;  // [pp]
  int64_t last_rank_;       // has the head
  double logit_bytes_;
  std::array<LayerBytes, kNumLayerKinds> layer_bytes_;
};

// Of the fullest rank.
StageMemory stack_memory(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, const ElementTable& elements,
                         const LayerCosts& costs, const std::vector<int>& alive);
StageMemory stack_memory(const Job& job, const Candidate& candidate,
                         const std::vector<StageLayers>& stages, const ElementTable& elements,
                         const LayerCosts& costs, ShortSchedules& schedules);

}  // namespace argosy
