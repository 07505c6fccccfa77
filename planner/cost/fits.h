// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which points of one mesh fit, however their open decisions are settled. Points share nearly all
// of the answer: bytes of the state are counted once for all micro-batches, and limits from above
// and below decide nearly always, so that few are settled in earnest.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "planner/cost/memory.h"
#include "planner/cost/search_space.h"
#include "planner/cost/settle.h"
#include "planner/cost/stack_memory.h"
#include "planner/cost/state_memory.h"

namespace argosy {

inline constexpr size_t kNumRecomputes = 3;  // Recompute

class Fits {
 public:
  // The references must outlive this.
  Fits(const Job& job, const MeshPoint& point, Settler& settler)
      : job_(job), point_(point), settler_(settler) {}

  // A candidate of the mesh whose micro-batch, schedule and layers_per_stage are decided; `split`
  // is a number for the latter, `costs` are those of the micro-batch. Candidate and costs must
  // outlive the questions about it.
  void look_at(const Candidate& open, size_t split, const LayerCosts& costs);

  // Of a candidate, recomputation as far as it is fixed.
  std::vector<StageLayers> stages_of(const Candidate& open) const;
  // The same of the candidate that is looked at.
  const std::vector<StageLayers>& stages() const { return split_->stages; }

  // Bytes that are missing at least with the mesh's choice `zero`; 0: it fits.
  int64_t missing_bytes(size_t zero);
  // As it would be evaluated: exact.
  int64_t settled_missing_bytes(size_t zero);

 private:
  // A rank with more bytes than those beside it: they have the same layers and keep less.
  struct Rank {
    int64_t rank = 0;
    bool is_copy = false;
    StageLayers all{}, all_full{};  // the latter computed again, if that is open
    std::vector<size_t> stages;     // its own
    std::vector<size_t> shapes;     // of those that differ
  };
  struct Split {
    std::vector<StageLayers> stages;
    std::vector<size_t> shape_of_stage;  // [stages]
    std::vector<Rank> ranks;
    std::vector<std::vector<StateBytes>> state_bytes;   // [4 * zeros, as asked][ranks]
    std::vector<std::vector<StackState>> stack_states;  // [zeros, as asked][ranks]
  };
  // Stages with the same layers keep the same, whatever split they are of.
  struct Shape {
    StageLayers layers{};
    const LayerCosts* costs = nullptr;  // that `kept` is of
    std::array<StageActivations, kNumRecomputes> kept;
  };
  // What is the same for all points with one of the mesh's choices.
  struct Zero {
    Candidate candidate;  // of the mesh; its micro-batch, schedule and layers are open
    // What tensors may take: without rows of experts, and at most, however many these are.
    int64_t usable_bytes = 0, most_usable_bytes = 0;
    bool follows_rows = false;                             // it is not the same for all
    std::array<StateBytes, kNumLayerKinds> layer_bytes{};  // what lasts of one layer
    StateBytes copy_bytes;
  };
  // What a rank keeps for backward, however recomputation is chosen: the least that is possible
  // lies between both.
  struct Kept {
    int64_t passing_bytes = 0;
    int64_t at_least = 0, at_most = 0;
    enum { coarse, close, exact } precision = coarse;
    int64_t full_at_most = 0;  // with everything computed again that may be
    std::optional<ActivationPeak> full_peak;
  };
  size_t shape_of(const StageLayers& layers);
  Split make_split(const Candidate& open, bool any_rank);
  Split& split_of(const Candidate& open, size_t split);
  const std::array<StageActivations, kNumRecomputes>& kept_of(size_t shape);
  const Zero& zero_of(size_t zero);
  const std::vector<StateBytes>& state_bytes(size_t zero);
  Kept kept_on(const Rank& rank);
  void sharpen(const Rank& rank, Kept& kept);
  const ActivationPeak& full_peak(const Rank& rank, Kept& kept);
  int64_t least_kept(const Rank& rank) const;
  bool fits_in_full(size_t zero);
  const std::vector<StackState>& stack_states(size_t zero);
  int64_t missing_in_stack(size_t zero);

  const Job& job_;
  const MeshPoint& point_;
  Settler& settler_;
  const Candidate* open_ = nullptr;
  const LayerCosts* costs_ = nullptr;
  Split* split_ = nullptr;
  std::optional<StackRanks> stack_;       // where another framework's memory counts
  const ShortSchedule* short_ = nullptr;  // of a schedule that is not plain
  std::vector<Shape> shapes_;
  std::vector<Kept> kept_;                    // [ranks of the split]
  std::vector<StageActivations> recomputed_;  // [stages of a rank]
  std::vector<std::optional<Zero>> zeros_;    // [zeros of the mesh]
  // [4 * split + where stages sit and which ranks may differ]
  std::vector<std::unique_ptr<Split>> splits_;
};

}  // namespace argosy
