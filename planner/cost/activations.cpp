// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/activations.h"

#include <algorithm>

namespace argosy {

namespace {

// Blocks that are recomputed alike, in the order of backward.
void pass_blocks(const StageLayers& layers, const LayerCosts& costs, Recompute recompute,
                 StageActivations& stage, int64_t& freed, int64_t& input_freed) {
  int64_t extra = 0, input_extra = 0, saved = 0, released = 0, most_released = INT64_MIN;
  const size_t first = static_cast<size_t>(recompute) * kNumBaseKinds;
  for (size_t kind = first; kind < first + kNumBaseKinds; ++kind) {
    if (layers[kind] == 0 || !is_block(kind)) continue;
    const LayerCost& cost = costs[kind];
    extra = std::max(extra, cost.recomputed_bytes);
    input_extra = std::max(input_extra, cost.backward_input_extra_bytes);
    saved += layers[kind] * cost.saved_bytes;
    released += layers[kind] * (cost.saved_bytes - cost.deferred_bytes);
    most_released = std::max(most_released, cost.saved_bytes - cost.deferred_bytes);
  }
  if (most_released == INT64_MIN) return;
  stage.extra_bytes = std::max(stage.extra_bytes, extra - freed);
  // What is put off may outweigh what is free: then the last of these blocks is the worst.
  const int64_t before_last = input_freed + released - most_released;
  stage.input_extra_bytes =
      std::max({stage.input_extra_bytes, input_extra - input_freed, input_extra - before_last});
  freed += saved;
  input_freed += released;
}

// Of PassOrder::passes.
constexpr uint32_t kForward = 0, kBackward = 1, kInput = 2, kWeight = 3, kNoPass = 4;

// Do as many passes of each stage and kind free as keep?
bool is_balanced(const uint32_t* begin, size_t length, size_t num_stages) {
  std::vector<int64_t> counts(4 * num_stages, 0);
  for (size_t i = 0; i < length; ++i) ++counts[begin[i]];
  for (size_t stage = 0; stage < num_stages; ++stage) {
    const int64_t* count = &counts[4 * stage];
    if (count[kForward] != count[kBackward] + count[kInput]) return false;
    if (count[kInput] != count[kWeight]) return false;
  }
  return true;
}

// How often a passage of this length is there from its begin on, one after the other.
int64_t num_repeats(const std::vector<uint32_t>& passes, size_t begin, size_t length) {
  int64_t count = 1;
  for (size_t next = begin + length; next + length <= passes.size(); next += length, ++count) {
    const uint32_t* first = &passes[begin];
    if (!std::equal(first, first + length, &passes[next])) break;
  }
  return count;
}

// Rounds of forward, backward and weights of one stage make the longest passages.
PassOrder with_runs(const PassOrder& order) {
  constexpr size_t kLongest = 4;
  constexpr int64_t kFewest = 3;  // what one repeat less would cost as much
  PassOrder folded;
  folded.stages = order.stages;
  for (size_t begin = 0; begin < order.passes.size();) {
    PassOrder::Run run;
    for (run.length = 1; run.length <= kLongest; ++run.length) {
      if (begin + run.length > order.passes.size()) break;
      run.count = num_repeats(order.passes, begin, run.length);
      if (run.count >= kFewest) break;
    }
    if (run.count < kFewest) run = {1, 1};
    const auto first = order.passes.begin() + static_cast<std::ptrdiff_t>(begin);
    folded.passes.insert(folded.passes.end(), first,
                         first + static_cast<std::ptrdiff_t>(run.length));
    begin += run.length * static_cast<size_t>(run.count);
    const bool goes_on = run.count == 1 && !folded.runs.empty() && folded.runs.back().count == 1;
    goes_on ? void(++folded.runs.back().length) : folded.runs.push_back(run);
  }
  return folded;
}

// A pass, beside what was alive before: at its worst, what of that is not extra, and afterwards.
struct PassBytes {
  int64_t at_most = 0, without_extra = 0, kept = 0;
};

}  // namespace

StageActivations stage_activations(const StageLayers& layers, const LayerCosts& costs) {
  StageActivations stage;
  int64_t freed = 0, input_freed = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    if (layers[kind] == 0) continue;
    stage.saved_bytes += layers[kind] * costs[kind].saved_bytes;
    stage.deferred_bytes += layers[kind] * costs[kind].deferred_bytes;
    if (is_block(kind) || base_kind(kind) == LayerKind::embedding) continue;
    stage.extra_bytes = std::max(stage.extra_bytes, costs[kind].recomputed_bytes);
    stage.input_extra_bytes =
        std::max(stage.input_extra_bytes, costs[kind].backward_input_extra_bytes);
    freed += layers[kind] * costs[kind].saved_bytes;
    input_freed += layers[kind] * (costs[kind].saved_bytes - costs[kind].deferred_bytes);
  }
  for (const Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
    pass_blocks(layers, costs, recompute, stage, freed, input_freed);
  }
  return stage;
}

std::vector<StageActivations> stage_activations(const std::vector<StageLayers>& stages,
                                                const LayerCosts& costs) {
  std::vector<StageActivations> all;
  all.reserve(stages.size());
  for (const StageLayers& layers : stages) all.push_back(stage_activations(layers, costs));
  return all;
}

int64_t plain_activation_bytes(const StageActivations& stage, int64_t alive) {
  return alive * stage.saved_bytes + stage.extra_bytes;
}

PassOrder pass_order(const std::vector<Action>& actions) {
  PassOrder order;
  const auto kind_of = [](ActionKind kind) {
    switch (kind) {
      case ActionKind::forward:
        return kForward;
      case ActionKind::backward:
        return kBackward;
      case ActionKind::backward_input:
        return kInput;
      case ActionKind::backward_weight:
        return kWeight;
      default:
        return kNoPass;
    }
  };
  for (const Action& action : actions) {
    const auto stage = static_cast<size_t>(action.stage);
    const auto place = std::lower_bound(order.stages.begin(), order.stages.end(), stage);
    if (place == order.stages.end() || *place != stage) order.stages.insert(place, stage);
  }
  order.passes.reserve(actions.size());
  for (const Action& action : actions) {
    if (kind_of(action.kind) == kNoPass) continue;
    const auto place = std::lower_bound(order.stages.begin(), order.stages.end(),
                                        static_cast<size_t>(action.stage));
    order.passes.push_back(4 * static_cast<uint32_t>(place - order.stages.begin()) +
                           kind_of(action.kind));
  }
  order.runs = {{order.passes.size(), 1}};
  return order;
}

PassOrder without_repeats(PassOrder order, size_t period) {
  std::vector<uint32_t>& passes = order.passes;
  size_t begin = 0;
  while (period > 0 && begin + 2 * period <= passes.size()) {
    const uint32_t* first = &passes[begin];
    const bool is_repeated = std::equal(first, first + period, first + period);
    if (is_repeated && is_balanced(first, period, order.stages.size())) {
      const auto at = passes.begin() + static_cast<std::ptrdiff_t>(begin);
      passes.erase(at, at + static_cast<std::ptrdiff_t>(period));
    } else {
      ++begin;
    }
  }
  return with_runs(order);
}

ActivationPeak activation_peak(const std::vector<StageActivations>& stages,
                               const PassOrder& order) {
  std::vector<PassBytes> passes(4 * stages.size());
  for (size_t i = 0; i < stages.size(); ++i) {
    const StageActivations& s = stages[i];
    passes[4 * i + kForward] = {s.saved_bytes, s.saved_bytes, s.saved_bytes};
    passes[4 * i + kBackward] = {s.extra_bytes, 0, -s.saved_bytes};
    passes[4 * i + kInput] = {s.input_extra_bytes, 0, s.deferred_bytes - s.saved_bytes};
    passes[4 * i + kWeight] = {-s.deferred_bytes, -s.deferred_bytes, -s.deferred_bytes};
  }
  int64_t alive = 0;
  ActivationPeak peak;
  const uint32_t* next = order.passes.data();
  const auto go_through = [&](size_t length) {
    for (const uint32_t* end = next + length; next != end; ++next) {
      const PassBytes& bytes = passes[*next];
      peak.bytes = std::max(peak.bytes, alive + bytes.at_most);
      peak.without_extra = std::max(peak.without_extra, alive + bytes.without_extra);
      alive += bytes.kept;
    }
  };
  // Each time adds as much to what is alive: the first or the last one is the worst.
  for (const PassOrder::Run& run : order.runs) {
    const int64_t before = alive;
    go_through(run.length);
    if (run.count == 1) continue;
    alive += (run.count - 2) * (alive - before);
    next -= run.length;
    go_through(run.length);
  }
  return peak;
}

int64_t activation_bytes(const std::vector<StageActivations>& stages, const PassOrder& order) {
  std::vector<StageActivations> own;
  own.reserve(order.stages.size());
  for (const size_t stage : order.stages) own.push_back(stages[stage]);
  return activation_peak(own, order).bytes;
}

int64_t activation_bytes(const std::vector<StageActivations>& stages,
                         const std::vector<Action>& actions) {
  return activation_bytes(stages, pass_order(actions));
}

int64_t short_microbatches(ScheduleKind kind, int64_t pp, int64_t num_microbatches) {
  constexpr int64_t kRounds = 4;  // one to fill, one to repeat, and one on either side
  const int64_t m = num_microbatches;
  if (kind == ScheduleKind::gpipe || m <= kRounds * pp) return m;
  if (kind != ScheduleKind::interleaved) return kRounds * pp;
  const int64_t groups = m / pp, size = m / groups, longer = m % groups;
  return std::min(longer, kRounds) * (size + 1) + std::min(groups - longer, kRounds) * size;
}

Schedule short_schedule(ScheduleKind kind, int64_t pp, int64_t num_microbatches,
                        int64_t virtual_stages) {
  const auto p = static_cast<int>(pp);
  const auto few = static_cast<int>(short_microbatches(kind, pp, num_microbatches));
  switch (kind) {
    case ScheduleKind::gpipe:
      return gpipe(p, few);
    case ScheduleKind::one_f_one_b:
      return one_f_one_b(p, few);
    case ScheduleKind::interleaved:
      return interleaved(p, static_cast<int>(virtual_stages), few);
    case ScheduleKind::zb_h1:
      return zb_h1(p, few);
    case ScheduleKind::zb_v:
      return zb_v(p, few);
  }
  return {};
}

const ShortSchedule& ShortSchedules::get(ScheduleKind kind, int64_t pp, int64_t num_microbatches,
                                         int64_t virtual_stages) {
  const std::tuple key(kind, pp, short_microbatches(kind, pp, num_microbatches), virtual_stages);
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(key);
  if (found != known_.end()) return found->second;
  ShortSchedule& made = known_[key];
  const Schedule schedule = short_schedule(kind, pp, num_microbatches, virtual_stages);
  const auto num_stages = static_cast<size_t>(schedule.num_stages);
  const std::vector<StageActivations> saved(num_stages, {1, 0, 0, 0}),
      any(num_stages, {1, 1, 0, 0});
  // Passes of a group of micro-batches (interleaved), or of one of them.
  const int64_t group = kind == ScheduleKind::interleaved ? pp * virtual_stages : virtual_stages;
  const auto period = static_cast<size_t>((splits_backward(kind) ? 3 : 2) * group);
  for (const std::vector<Action>& actions : schedule.actions) {
    const PassOrder& order = made.orders.emplace_back(without_repeats(pass_order(actions), period));
    made.passes.push_back({activation_bytes(saved, order), activation_bytes(any, order)});
  }
  return made;
}

}  // namespace argosy
