// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How a schedule is run through without a machine: shared by validate (can it end?) and simulate
// (when?). Not for use outside of spec.
#pragma once

#include <vector>

#include "planner/spec/schedule.h"

namespace argosy {

// One slot for every action that `schedule` could hold: tables indexed by action.
class ActionIndex {
 public:
  explicit ActionIndex(const Schedule& schedule)
      : num_stages_(static_cast<size_t>(schedule.num_stages)),
        num_microbatches_(static_cast<size_t>(schedule.num_microbatches)) {}
  size_t size() const { return kNumActionKinds * num_stages_ * num_microbatches_; }
  size_t operator()(const Action& action) const {
    const size_t row =
        static_cast<size_t>(action.kind) * num_stages_ + static_cast<size_t>(action.stage);
    return row * num_microbatches_ + static_cast<size_t>(action.microbatch);
  }

 private:
  size_t num_stages_, num_microbatches_;
};

// Calls visit(needed) for each of prerequisites(action), without building a list: the planner
// simulates thousands of schedules.
template <typename Visit>
void for_each_prerequisite(const Action& action, const Schedule& schedule, Visit visit) {
  const auto [kind, stage, microbatch] = action;
  // Do both stages live on one rank, so that the tensor between them needs no transfer?
  const auto same_rank = [&](int a, int b) {
    return schedule.rank_of_stage[static_cast<size_t>(a)] ==
           schedule.rank_of_stage[static_cast<size_t>(b)];
  };
  switch (kind) {
    case ActionKind::forward:
      if (stage > 0) {
        visit(same_rank(stage, stage - 1) ? Action{ActionKind::forward, stage - 1, microbatch}
                                          : Action{ActionKind::recv_activation, stage, microbatch});
      }
      break;
    case ActionKind::backward:
    case ActionKind::backward_input:
      visit(Action{ActionKind::forward, stage, microbatch});
      if (stage + 1 < schedule.num_stages) {
        visit(same_rank(stage, stage + 1) ? Action{kind, stage + 1, microbatch}
                                          : Action{ActionKind::recv_gradient, stage, microbatch});
      }
      break;
    case ActionKind::backward_weight:
      visit(Action{ActionKind::backward_input, stage, microbatch});
      break;
    case ActionKind::send_activation:
      visit(Action{ActionKind::forward, stage, microbatch});
      break;
    case ActionKind::send_gradient:
      visit(Action{gradient_maker(schedule), stage, microbatch});
      break;
    case ActionKind::recv_activation:
    case ActionKind::recv_gradient:
      break;  // a receive is posted into an empty buffer
  }
}

// Lets every rank perform its actions in program order, each as soon as ready(rank, action), by
// perform(rank, action). Returns how many actions each rank performed until nobody could go on: all
// of them, unless the schedule is stuck. What is performed does not depend on the order in which
// ranks are visited, because performing never takes anything away from another rank.
template <typename Ready, typename Perform>
std::vector<size_t> play(const Schedule& schedule, Ready ready, Perform perform) {
  std::vector<size_t> performed(schedule.actions.size(), 0);
  for (bool advanced = true; advanced;) {
    advanced = false;
    for (size_t rank = 0; rank < schedule.actions.size(); ++rank) {
      const std::vector<Action>& actions = schedule.actions[rank];
      size_t& next = performed[rank];
      for (; next < actions.size() && ready(rank, actions[next]); ++next) {
        perform(rank, actions[next]);
        advanced = true;
      }
    }
  }
  return performed;
}

}  // namespace argosy
