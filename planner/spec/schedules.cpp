// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The builders: who computes what in which order. A new schedule is one more function here.
#include <algorithm>
#include <numeric>

#include "planner/spec/check.h"
#include "planner/spec/schedule.h"

namespace argosy {

namespace {

// p ranks with a stage each and nothing to do yet.
Schedule one_stage_per_rank(int num_stages, int num_microbatches) {
  CHECK(num_stages >= 1 && num_microbatches >= 1, num_stages, " stages, ", num_microbatches,
        " micro-batches");
  Schedule schedule;
  schedule.num_stages = num_stages;
  schedule.num_microbatches = num_microbatches;
  schedule.rank_of_stage.resize(static_cast<size_t>(num_stages));
  std::iota(schedule.rank_of_stage.begin(), schedule.rank_of_stage.end(), 0);
  schedule.actions.resize(static_cast<size_t>(num_stages));
  return schedule;
}

// Appends `kind` of the micro-batches [begin, end).
void append(std::vector<Action>& actions, ActionKind kind, int stage, int begin, int end) {
  for (int microbatch = begin; microbatch < end; ++microbatch) {
    actions.push_back({kind, stage, microbatch});
  }
}

}  // namespace

Schedule gpipe(int num_stages, int num_microbatches) {
  Schedule schedule = one_stage_per_rank(num_stages, num_microbatches);
  for (int stage = 0; stage < num_stages; ++stage) {
    std::vector<Action>& actions = schedule.actions[static_cast<size_t>(stage)];
    append(actions, ActionKind::forward, stage, 0, num_microbatches);
    append(actions, ActionKind::backward, stage, 0, num_microbatches);
  }
  return schedule;
}

Schedule one_f_one_b(int num_stages, int num_microbatches) {
  Schedule schedule = one_stage_per_rank(num_stages, num_microbatches);
  for (int stage = 0; stage < num_stages; ++stage) {
    std::vector<Action>& actions = schedule.actions[static_cast<size_t>(stage)];
    // Enough forwards that the first gradient comes back just as they end; from then on each
    // backward frees the activations that the next forward needs.
    const int warm_up = std::min(num_stages - stage - 1, num_microbatches);
    append(actions, ActionKind::forward, stage, 0, warm_up);
    for (int microbatch = warm_up; microbatch < num_microbatches; ++microbatch) {
      actions.push_back({ActionKind::forward, stage, microbatch});
      actions.push_back({ActionKind::backward, stage, microbatch - warm_up});
    }
    append(actions, ActionKind::backward, stage, num_microbatches - warm_up, num_microbatches);
  }
  return schedule;
}

Schedule forward_only(int num_stages, int num_microbatches) {
  Schedule schedule = one_stage_per_rank(num_stages, num_microbatches);
  for (int stage = 0; stage < num_stages; ++stage) {
    append(schedule.actions[static_cast<size_t>(stage)], ActionKind::forward, stage, 0,
           num_microbatches);
  }
  return schedule;
}

Schedule build_schedule(ScheduleKind kind, int num_stages, int num_microbatches) {
  switch (kind) {
    case ScheduleKind::gpipe:
      return add_transfers(gpipe(num_stages, num_microbatches));
    case ScheduleKind::one_f_one_b:
      return add_transfers(one_f_one_b(num_stages, num_microbatches));
  }
  CHECK(false, "schedule kind ", static_cast<int>(kind));
  return {};
}

}  // namespace argosy
