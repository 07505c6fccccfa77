// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/stage_split.h"

#include <algorithm>
#include <numeric>

namespace argosy {

namespace {

// Sums of the same numbers in another order differ by less.
constexpr double kTolerance = 1e-9;

double pass_s(const LayerTimes& times, LayerKind kind) {
  const StageDurations& d = times[static_cast<size_t>(kind)].durations;
  return d.forward_s + d.backward_s;
}

}  // namespace

LayerBalance::LayerBalance(const ModelSpec& model, const LayerTimes& times)
    : first_s_(pass_s(times, LayerKind::embedding)),
      last_s_(pass_s(times, LayerKind::head) +
              static_cast<double>(model.num_mtp_modules) * pass_s(times, LayerKind::mtp)) {
  layer_s_.reserve(static_cast<size_t>(model.num_layers));
  for (int64_t layer = 0; layer < model.num_layers; ++layer) {
    layer_s_.push_back(pass_s(times, kind_of_layer(model, layer)));
  }
}

double LayerBalance::end_s(int64_t stage, int64_t num_stages) const {
  return (stage == 0 ? first_s_ : 0) + (stage + 1 == num_stages ? last_s_ : 0);
}

double LayerBalance::longest_s(const std::vector<int64_t>& counts) const {
  const auto num_stages = static_cast<int64_t>(counts.size());
  double longest_s = 0;
  auto layer = layer_s_.begin();
  for (int64_t stage = 0; stage < num_stages; ++stage) {
    const auto end = layer + counts[static_cast<size_t>(stage)];
    longest_s = std::max(longest_s, std::accumulate(layer, end, end_s(stage, num_stages)));
    layer = end;
  }
  return longest_s;
}

// Takes as many layers as `most_s` allows from the last stage on; empty: it does not allow it.
std::vector<int64_t> LayerBalance::fill(double most_s, int64_t num_stages) const {
  std::vector<int64_t> counts(static_cast<size_t>(num_stages), 0);
  auto left = static_cast<int64_t>(layer_s_.size());
  for (int64_t stage = num_stages; stage-- > 0;) {
    double sum_s = end_s(stage, num_stages);
    int64_t& count = counts[static_cast<size_t>(stage)];
    while (left > stage) {
      sum_s += layer_s_[static_cast<size_t>(left - 1)];
      if (sum_s > most_s) break;
      ++count;
      --left;
    }
    if (count == 0) return {};
  }
  return left == 0 ? counts : std::vector<int64_t>{};
}

// Asks for less than the longest stage until it cannot be had.
std::vector<int64_t> LayerBalance::layers(int64_t num_stages) const {
  std::vector<int64_t> counts =
      default_layers_per_stage(static_cast<int64_t>(layer_s_.size()), num_stages);
  for (;;) {
    std::vector<int64_t> shorter = fill(longest_s(counts) * (1 - kTolerance), num_stages);
    if (shorter.empty()) return counts;
    counts = std::move(shorter);
  }
}

LayerTimes layer_times(const Job& job, const Candidate& candidate, const ElementTable& elements,
                       const LayerCosts& costs, const Placements& placements,
                       bool with_recomputed) {
  Candidate one = candidate;
  one.zero_stage = 0;
  one.mesh.zero_shard = 0;
  LayerTimes times = passes_of_kinds(job, one, elements, costs, placements);
  const size_t num_wanted = with_recomputed ? kNumLayerKinds : kNumBaseKinds;
  for (size_t kind = num_wanted; kind < kNumLayerKinds; ++kind) times[kind] = {};
  return times;
}

std::vector<StageTime> add_layers(const std::vector<StageLayers>& stages, const LayerTimes& times) {
  std::vector<StageTime> sums(stages.size());
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    if (stage > 0 && stages[stage] == stages[stage - 1]) {
      sums[stage] = sums[stage - 1];
      continue;
    }
    StageDurations& sum = sums[stage].durations;
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
      if (stages[stage][kind] == 0) continue;
      const auto count = static_cast<double>(stages[stage][kind]);
      const StageDurations& d = times[kind].durations;
      sum.forward_s += count * d.forward_s;
      sum.backward_s += count * d.backward_s;
      sum.backward_input_s += count * d.backward_input_s;
      sum.backward_weight_s += count * d.backward_weight_s;
      sums[stage].communication_s += count * times[kind].communication_s;
    }
  }
  return sums;
}

std::vector<int64_t> balanced_layers(const ModelSpec& model, const LayerTimes& times,
                                     int64_t num_stages) {
  return LayerBalance(model, times).layers(num_stages);
}

}  // namespace argosy
