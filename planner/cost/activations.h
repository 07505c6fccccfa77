// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Bytes that a pipeline rank keeps for backward, from the order in which it works.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "planner/cost/layer_costs.h"
#include "planner/spec/schedule.h"

namespace argosy {

// Of one micro-batch in one stage.
struct StageActivations {
  int64_t saved_bytes = 0;     // from forward to backward
  int64_t deferred_bytes = 0;  // between the halves of a split backward
  // At most beside what was alive before backward, or the first half of it: what is computed again,
  // less what is free by then.
  int64_t extra_bytes = 0, input_extra_bytes = 0;
};

// Backward goes through the layers from the last one and frees as it goes. Blocks that are computed
// again are the first of a stage, those in full before those in part, so that everything else is
// free when one runs again. Where blocks of several kinds are mixed, an upper bound.
StageActivations stage_activations(const StageLayers& layers, const LayerCosts& costs);
std::vector<StageActivations> stage_activations(const std::vector<StageLayers>& stages,
                                                const LayerCosts& costs);  // [stages]

// At most, of a rank with one stage and whole backward passes, `alive` micro-batches at once.
int64_t plain_activation_bytes(const StageActivations& stage, int64_t alive);

// The compute actions of a rank in their order.
struct PassOrder {
  // The next `length` of `passes`, so many times one after the other.
  struct Run {
    size_t length = 0;
    int64_t count = 1;
  };
  std::vector<size_t> stages;    // of the rank, ascending
  std::vector<uint32_t> passes;  // 4 * index in `stages` + F, B, I or W
  std::vector<Run> runs;
};
PassOrder pass_order(const std::vector<Action>& actions);
// Without passes that repeat the `period` before them and leave alive what was alive: each stage's
// activations peak where they did. Short passages that repeat are runs.
PassOrder without_repeats(PassOrder order, size_t period);

// At most, of a rank with this list. `stages`: [PassOrder::stages].
struct ActivationPeak {
  int64_t bytes = 0;
  int64_t without_extra = 0;  // as if nothing were held beside what waits for its backward
};
ActivationPeak activation_peak(const std::vector<StageActivations>& stages, const PassOrder& order);

// The same of [stages] of all ranks.
int64_t activation_bytes(const std::vector<StageActivations>& stages, const PassOrder& order);
int64_t activation_bytes(const std::vector<StageActivations>& stages,
                         const std::vector<Action>& actions);

// A compute-only schedule with as few micro-batches as show all that `num_microbatches` would keep
// at once: after some rounds every further one keeps what the one before kept. The groups of
// micro-batches that interleaving makes stay as long as they were.
int64_t short_microbatches(ScheduleKind kind, int64_t pp, int64_t num_microbatches);
Schedule short_schedule(ScheduleKind kind, int64_t pp, int64_t num_microbatches,
                        int64_t virtual_stages);

// Passes of stages whose activations are alive at once on a rank, at most.
struct RankPasses {
  int64_t saved = 0;  // between forward and backward
  int64_t any = 0;    // between the halves of a split backward too
};

struct ShortSchedule {
  std::vector<PassOrder> orders;   // [pipeline rank], without_repeats()
  std::vector<RankPasses> passes;  // [pipeline rank]
};

// Remembers the short schedules that were asked for; may be asked by several threads.
class ShortSchedules {
 public:
  const ShortSchedule& get(ScheduleKind kind, int64_t pp, int64_t num_microbatches,
                           int64_t virtual_stages);

 private:
  std::mutex mutex_;
  std::map<std::tuple<ScheduleKind, int64_t, int64_t, int64_t>, ShortSchedule> known_;
};

}  // namespace argosy
