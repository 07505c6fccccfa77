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
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "planner/cost/memory.h"
#include "planner/cost/search_space.h"
#include "planner/cost/settle.h"

namespace argosy {

inline constexpr size_t kNumRecomputes = 3;  // Recompute

class Fits {
 public:
  // The references must outlive this.
  Fits(const Job& job, const MeshPoint& point, Settler& settler)
      : job_(job), point_(point), settler_(settler) {}

  // A candidate of the mesh whose micro-batch, schedule and layers_per_stage are decided; `costs`
  // are those of the micro-batch. Both must outlive the questions about it.
  void look_at(const Candidate& open, const LayerCosts& costs);

  // Of the candidate that is looked at, recomputation as far as it is fixed.
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
    StageLayers all{};
    std::vector<size_t> stages;  // its own
    std::vector<size_t> shapes;  // Split::shapes of those that differ
  };
  struct Split {
    std::vector<StageLayers> stages;
    std::vector<StageLayers> shapes;     // stages that differ
    std::vector<size_t> shape_of_stage;  // [stages]
    std::vector<Rank> ranks;
    std::vector<std::vector<StateBytes>> state_bytes;  // [4 * zeros, as asked][ranks]
  };
  // What is the same for all points with one of the mesh's choices.
  struct Zero {
    Candidate candidate;  // of the mesh; its micro-batch, schedule and layers are open
    int64_t usable_bytes = 0, usable_bytes_of_rows = 0;
    std::array<StateBytes, kNumLayerKinds> layer_bytes{};  // what lasts of one layer
    StateBytes copy_bytes;
  };
  // What a rank keeps for backward, however recomputation is chosen: the least that is possible
  // lies between both.
  struct Kept {
    int64_t passing_bytes = 0;
    int64_t at_least = 0, at_most = 0;
    enum { coarse, close, exact } precision = coarse;
  };
  Split make_split(const Candidate& open, bool any_rank) const;
  Split& split_of(const Candidate& open);
  const Zero& zero_of(size_t zero);
  const std::vector<StateBytes>& state_bytes(size_t zero);
  Kept kept_on(const Rank& rank) const;
  void sharpen(const Rank& rank, Kept& kept);
  ActivationPeak recomputed_peak(const Rank& rank);
  int64_t least_kept(const Rank& rank) const;

  const Job& job_;
  const MeshPoint& point_;
  Settler& settler_;
  const Candidate* open_ = nullptr;
  const LayerCosts* costs_ = nullptr;
  Split* split_ = nullptr;
  const ShortSchedule* short_ = nullptr;  // of a schedule that is not plain
  std::vector<std::array<StageActivations, kNumRecomputes>> activations_;  // [shapes]
  std::vector<Kept> kept_;                                                 // [ranks of the split]
  std::vector<StageActivations> recomputed_;                               // [stages], of one rank
  std::vector<std::optional<Zero>> zeros_;                                 // [zeros of the mesh]
  // Where stages sit, which ranks may differ, layers of each stage.
  std::map<std::tuple<bool, bool, std::vector<int64_t>>, Split> splits_;
};

}  // namespace argosy
