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
                               const LayerCosts& costs, const ShortSchedule* schedule,
                               const StackRecompute* stack)
    : model_(model),
      candidate_(candidate),
      num_microbatches_(num_microbatches),
      stages_(stages),
      costs_(costs),
      schedule_(schedule),
      stack_(stack) {}

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
    layers_.reserve(rank.stages.size());
    for (const size_t stage : rank.stages) {
      const StageLayers& layers = layers_.emplace_back(asked.stages_[stage]);
      for (size_t kind = 0; kind < kNumLayerKinds; ++kind) all_[kind] += layers[kind];
    }
  }

  // Whatever is chosen; nothing has been yet.
  bool never_fits(int64_t budget_bytes) const {
    const StackRecompute* stack = asked_.stack_;
    return stack != nullptr && stack->ranks.least_bytes(state(), all_) > budget_bytes;
  }

  // The first `num_full` blocks again in full, `num_selective` behind them in part.
  int64_t bytes(int64_t num_full, int64_t num_selective) {
    // Blocks outside of both choices stay as they are.
    const int64_t begin = std::min(num_full, num_full_), end = num_full + num_selective;
    for (int64_t i = begin; i < std::max(end, end_); ++i) {
      choose(static_cast<size_t>(i), i < num_full ? Recompute::full
                                     : i < end    ? Recompute::selective
                                                  : Recompute::none);
    }
    num_full_ = num_full;
    end_ = end;
    if (asked_.stack_ != nullptr) return asked_.stack_->ranks.memory(state(), all_).total_bytes;
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
  const StackState& state() const { return asked_.stack_->states[static_cast<size_t>(rank_.rank)]; }

  void choose(size_t i, Recompute recompute) {
    if (chosen_[i] == recompute) return;
    change(i, recompute, layers_[rank_.position[i]]);
    change(i, recompute, all_);
    is_counted_[rank_.position[i]] = false;
    chosen_[i] = recompute;
  }

  void change(size_t i, Recompute recompute, StageLayers& layers) const {
    const auto at = [](LayerKind kind, Recompute r) {
      return static_cast<size_t>(with_recompute(kind, r));
    };
    --layers[at(rank_.kinds[i], chosen_[i])];
    ++layers[at(rank_.kinds[i], recompute)];
    if (rank_.layers[i] + 1 == asked_.model_.num_layers) {
      // Modules behind the last block do as it does.
      std::swap(layers[at(LayerKind::mtp, chosen_[i])], layers[at(LayerKind::mtp, recompute)]);
    }
  }

  const LeastRecompute& asked_;
  const Rank& rank_;
  int64_t num_full_ = 0, end_ = 0;        // blocks in full; in full or in part
  StageLayers all_{};                     // of the rank
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

int64_t LeastRecompute::fewest_selective(Kept& kept, int64_t num_full, int64_t num_open,
                                         int64_t budget_bytes) const {
  if (stack_ != nullptr) {
    // The first one may keep more than none: what it makes again.
    for (int64_t count = 0; count <= num_open; ++count) {
      if (kept.bytes(num_full, count) <= budget_bytes) return count;
    }
    return -1;
  }
  // More layers in part never keep more.
  int64_t low = 0, high = num_open;
  if (kept.bytes(num_full, high) > budget_bytes) return -1;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    kept.bytes(num_full, middle) <= budget_bytes ? high = middle : low = middle + 1;
  }
  return high;
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
  if (kept.never_fits(budget_bytes)) return false;
  double least_s = std::numeric_limits<double>::infinity(), full_s = 0;
  int64_t best_full = -1, best_selective = 0;
  if (kept.bytes(0, 0) <= budget_bytes) {
    least_s = 0;
    best_full = 0;
  }
  for (int64_t num_full = 0; num_full <= num_blocks && full_s < least_s; ++num_full) {
    const int64_t num_selective =
        fewest_selective(kept, num_full, num_blocks - num_full, budget_bytes);
    if (num_selective >= 0) {
      double sum_s = full_s;
      for (int64_t i = 0; i < num_selective; ++i) {
        sum_s += added_s(num_full + i, Recompute::selective);
      }
      if (sum_s < least_s) {
        least_s = sum_s;
        best_full = num_full;
        best_selective = num_selective;
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
