// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/least_recompute.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "planner/cost/memory.h"

namespace argosy {

// The blocks of a rank in the order of its stages.
struct LeastRecompute::Rank {
  int64_t rank = 0;
  std::vector<size_t> stages;
  std::vector<int64_t> layers;  // indices in the model
  std::vector<LayerKind> kinds;
  std::vector<size_t> position;  // of its stage in `stages`
};

namespace {

int64_t num_blocks(const StageLayers& layers) {
  int64_t count = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    if (is_block(kind)) count += layers[kind];
  }
  return count;
}

}  // namespace

LeastRecompute::LeastRecompute(const ModelSpec& model, const Candidate& candidate,
                               int64_t num_microbatches, const std::vector<StageLayers>& stages,
                               const LayerCosts& costs, const ShortSchedule* schedule)
    : model_(model),
      candidate_(candidate),
      num_microbatches_(num_microbatches),
      stages_(stages),
      costs_(costs),
      schedule_(schedule) {}

LeastRecompute::Rank LeastRecompute::rank_of(int64_t rank) const {
  Rank found;
  found.rank = rank;
  const std::vector<int64_t>& split = candidate_.layers_per_stage;
  int64_t layer = 0;
  for (size_t stage = 0; stage < stages_.size(); ++stage) {
    const int64_t count = split.empty() ? num_blocks(stages_[stage]) : split[stage];
    const int64_t end = layer + count;
    if (pipeline_rank_of_stage(candidate_.schedule, candidate_.mesh.pp,
                               static_cast<int64_t>(stage)) != rank) {
      layer = end;
      continue;
    }
    found.stages.push_back(stage);
    for (; layer < end; ++layer) {
      found.layers.push_back(layer);
      found.kinds.push_back(kind_of_layer(model_, layer));
      found.position.push_back(found.stages.size() - 1);
    }
  }
  return found;
}

// What the rank keeps with one choice after the other: only stages that change are counted again.
class LeastRecompute::Kept {
 public:
  Kept(const LeastRecompute& asked, const Rank& rank)
      : asked_(asked),
        rank_(rank),
        chosen_(rank.kinds.size(), Recompute::none),
        is_counted_(rank.stages.size(), false),
        stages_(rank.stages.size()) {
    for (const size_t stage : rank.stages) layers_.push_back(asked.stages_[stage]);
  }

  // The first `num_full` blocks again in full, `num_selective` behind them in part.
  int64_t bytes(int64_t num_full, int64_t num_selective) {
    for (size_t i = 0; i < chosen_.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      choose(i, at < num_full                   ? Recompute::full
                : at < num_full + num_selective ? Recompute::selective
                                                : Recompute::none);
    }
    for (size_t i = 0; i < layers_.size(); ++i) {
      if (!is_counted_[i]) stages_[i] = stage_activations(layers_[i], asked_.costs_);
      is_counted_[i] = true;
    }
    const Candidate& c = asked_.candidate_;
    if (!is_plain(c.schedule)) {
      return activation_peak(stages_, asked_.schedule_->orders[static_cast<size_t>(rank_.rank)])
          .bytes;
    }
    return plain_activation_bytes(
        stages_.front(), in_flight(c.schedule, c.mesh.pp, asked_.num_microbatches_, rank_.rank));
  }

 private:
  void choose(size_t i, Recompute recompute) {
    if (chosen_[i] == recompute) return;
    StageLayers& layers = layers_[rank_.position[i]];
    const auto at = [](LayerKind kind, Recompute r) {
      return static_cast<size_t>(with_recompute(kind, r));
    };
    --layers[at(rank_.kinds[i], chosen_[i])];
    ++layers[at(rank_.kinds[i], recompute)];
    if (rank_.layers[i] + 1 == asked_.model_.num_layers) {
      // Modules behind the last block do as it does.
      std::swap(layers[at(LayerKind::mtp, chosen_[i])], layers[at(LayerKind::mtp, recompute)]);
    }
    is_counted_[rank_.position[i]] = false;
    chosen_[i] = recompute;
  }

  const LeastRecompute& asked_;
  const Rank& rank_;
  std::vector<Recompute> chosen_;         // [blocks]
  std::vector<StageLayers> layers_;       // [stages of the rank]
  std::vector<bool> is_counted_;          // [stages of the rank]
  std::vector<StageActivations> stages_;  // [stages of the rank]
};

// With the fewest bytes all that may be is computed again, in full or in part: at one end of the
// choices, or between them where a block that runs again needs what others have freed.
int64_t LeastRecompute::least_bytes(int64_t rank_index) const {
  const Rank rank = rank_of(rank_index);
  Kept kept(*this, rank);
  const auto num_blocks = static_cast<int64_t>(rank.kinds.size());
  int64_t least = std::numeric_limits<int64_t>::max();
  for (int64_t num_full = 0; num_full <= num_blocks; ++num_full) {
    least = std::min(least, kept.bytes(num_full, num_blocks - num_full));
  }
  return least;
}

bool LeastRecompute::choose(int64_t rank_index, int64_t budget_bytes, const LayerTimes& times,
                            std::vector<Recompute>& layers) const {
  const Rank rank = rank_of(rank_index);
  Kept kept(*this, rank);
  const auto num_blocks = static_cast<int64_t>(rank.kinds.size());
  const auto added_s = [&](int64_t i, Recompute recompute) {
    const LayerKind kind = rank.kinds[static_cast<size_t>(i)];
    return times[static_cast<size_t>(with_recompute(kind, recompute))].durations.backward_s -
           times[static_cast<size_t>(kind)].durations.backward_s;
  };
  double least_s = std::numeric_limits<double>::infinity(), full_s = 0;
  int64_t best_full = -1, best_selective = 0;
  if (kept.bytes(0, 0) <= budget_bytes) {
    least_s = 0;
    best_full = 0;
  }
  for (int64_t num_full = 0; num_full <= num_blocks && full_s < least_s; ++num_full) {
    // More layers in part never keep more: the fewest that fit.
    int64_t low = 0, high = num_blocks - num_full;
    if (kept.bytes(num_full, high) <= budget_bytes) {
      while (low < high) {
        const int64_t middle = (low + high) / 2;
        kept.bytes(num_full, middle) <= budget_bytes ? high = middle : low = middle + 1;
      }
      double sum_s = full_s;
      for (int64_t i = 0; i < high; ++i) sum_s += added_s(num_full + i, Recompute::selective);
      if (sum_s < least_s) {
        least_s = sum_s;
        best_full = num_full;
        best_selective = high;
      }
    }
    if (num_full < num_blocks) full_s += added_s(num_full, Recompute::full);
  }
  if (best_full < 0) return false;
  for (int64_t i = 0; i < num_blocks; ++i) {
    layers[static_cast<size_t>(rank.layers[static_cast<size_t>(i)])] =
        i < best_full                    ? Recompute::full
        : i < best_full + best_selective ? Recompute::selective
                                         : Recompute::none;
  }
  return true;
}

std::vector<Recompute> ruled_recompute(const RecomputeRule& rule,
                                       const std::vector<int64_t>& layers_per_stage) {
  const int64_t num_layers =
      std::accumulate(layers_per_stage.begin(), layers_per_stage.end(), int64_t{0});
  if (!rule.kind) return {};
  std::vector<Recompute> layers(static_cast<size_t>(num_layers), Recompute::none);
  int64_t begin = 0;
  for (const int64_t count : layers_per_stage) {
    const int64_t end = begin + count;
    const int64_t all = rule.num_layers.value_or(num_layers);
    const int64_t here = all * end / num_layers - all * begin / num_layers;
    std::fill_n(layers.begin() + begin, here, *rule.kind);
    begin = end;
  }
  return layers;
}

}  // namespace argosy
