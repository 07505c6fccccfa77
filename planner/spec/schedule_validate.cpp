// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Proof that a schedule is complete and runs to its end on a network that buffers nothing.
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/schedule.h"
#include "planner/spec/schedule_play.h"

namespace argosy {

namespace {

[[noreturn]] void refuse(size_t rank, const Action& action, const std::string& why) {
  throw std::logic_error(concat("schedule: rank ", rank, ", ", to_string(action), ": ", why));
}

size_t rank_of(const Schedule& schedule, int stage) {
  return static_cast<size_t>(schedule.rank_of_stage[static_cast<size_t>(stage)]);
}

void check_shape(const Schedule& schedule) {
  const auto num_stages = static_cast<int64_t>(schedule.rank_of_stage.size());
  if (schedule.num_stages < 1 || schedule.num_microbatches < 1 ||
      num_stages != schedule.num_stages) {
    throw std::logic_error(concat("schedule: ", schedule.num_stages, " stages of which ",
                                  num_stages, " have a rank, ", schedule.num_microbatches,
                                  " micro-batches"));
  }
  for (const int rank : schedule.rank_of_stage) {
    if (rank < 0 || static_cast<size_t>(rank) >= schedule.actions.size()) {
      throw std::logic_error(
          concat("schedule: a stage on rank ", rank, " of ", schedule.actions.size()));
    }
  }
}

// Each action is a valid one, on its rank, once. Returns how often each occurs (0 or 1).
std::vector<char> check_actions(const Schedule& schedule) {
  const ActionIndex index(schedule);
  std::vector<char> seen(index.size(), 0);
  for (size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    for (const Action& action : schedule.actions[rank]) {
      if (action.stage < 0 || action.stage >= schedule.num_stages || action.microbatch < 0 ||
          action.microbatch >= schedule.num_microbatches) {
        refuse(rank, action, "there is no such stage or micro-batch");
      }
      if (rank_of(schedule, action.stage) != rank) {
        refuse(rank, action, concat("the stage is on rank ", rank_of(schedule, action.stage)));
      }
      if (seen[index(action)]++ != 0) refuse(rank, action, "occurs twice");
    }
  }
  return seen;
}

// Is `action` part of a complete schedule?
bool is_needed(const Schedule& schedule, const Action& action, bool with_backward) {
  switch (action.kind) {
    case ActionKind::forward:
      return true;
    case ActionKind::backward:
      return with_backward && !schedule.splits_backward;
    case ActionKind::backward_input:
    case ActionKind::backward_weight:
      return with_backward && schedule.splits_backward;
    case ActionKind::send_gradient:
    case ActionKind::recv_gradient:
      if (!with_backward) return false;
      break;
    case ActionKind::send_activation:
    case ActionKind::recv_activation:
      break;
  }
  const int peer_stage = counterpart(action).stage;
  return peer_stage >= 0 && peer_stage < schedule.num_stages &&
         rank_of(schedule, peer_stage) != rank_of(schedule, action.stage);
}

// Exactly what is needed is there, on both ends of every transfer.
void check_complete(const Schedule& schedule, bool with_backward) {
  const std::vector<char> seen = check_actions(schedule);
  const ActionIndex index(schedule);
  for (int kind = 0; kind < kNumActionKinds; ++kind) {
    for (int stage = 0; stage < schedule.num_stages; ++stage) {
      for (int microbatch = 0; microbatch < schedule.num_microbatches; ++microbatch) {
        const Action action{static_cast<ActionKind>(kind), stage, microbatch};
        const bool present = seen[index(action)] != 0;
        const bool needed = is_needed(schedule, action, with_backward);
        const size_t rank = rank_of(schedule, stage);
        if (needed && !present) refuse(rank, action, "is missing");
        if (present && !needed) refuse(rank, action, "has no use here");
      }
    }
  }
}

using Channel = std::pair<size_t, size_t>;  // from rank, to rank

// Messages between two ranks are matched by order alone, so both ends must name them in one order.
void check_order(const Schedule& schedule) {
  std::map<Channel, std::vector<Action>> sends, receives;
  for (size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    for (const Action& action : schedule.actions[rank]) {
      if (is_compute(action.kind)) continue;
      const size_t peer = rank_of(schedule, counterpart(action).stage);
      if (is_send(action.kind)) {
        sends[{rank, peer}].push_back(action);
      } else {
        receives[{peer, rank}].push_back(action);
      }
    }
  }
  for (const auto& [channel, sent] : sends) {
    const std::vector<Action>& received = receives[channel];
    for (size_t i = 0; i < sent.size(); ++i) {  // check_complete: of equal length
      if (counterpart(sent[i]) == received[i]) continue;
      refuse(channel.second, received[i],
             concat("is receive ", i, " from rank ", channel.first,
                    ", which sends another tensor at that place: ", to_string(sent[i])));
    }
  }
}

// Runs to the end when a transfer completes only after both of its ends are posted.
void check_no_deadlock(const Schedule& schedule) {
  const ActionIndex index(schedule);
  std::vector<char> performed(index.size(), 0);
  const auto is_complete = [&](const Action& action) {
    if (performed[index(action)] == 0) return false;
    return is_compute(action.kind) || performed[index(counterpart(action))] != 0;
  };
  const auto first_missing = [&](const Action& action) -> std::optional<Action> {
    std::optional<Action> missing;
    for_each_prerequisite(action, schedule, [&](const Action& needed) {
      if (!missing && !is_complete(needed)) missing = needed;
    });
    return missing;
  };
  const std::vector<size_t> done = play(
      schedule, [&](size_t, const Action& action) { return !first_missing(action); },
      [&](size_t, const Action& action) { performed[index(action)] = 1; });
  // Who waits for an action that its own list names too late is the culprit; the others, who wait
  // for a peer, may be its victims, so they are named only if there is no culprit: a cycle.
  for (const bool own_fault : {true, false}) {
    for (size_t rank = 0; rank < done.size(); ++rank) {
      if (done[rank] == schedule.actions[rank].size()) continue;
      const Action& stuck = schedule.actions[rank][done[rank]];
      const Action missing = *first_missing(stuck);
      if (own_fault && performed[index(missing)] != 0) continue;
      refuse(rank, stuck, concat("waits forever for ", to_string(missing), " (deadlock)"));
    }
  }
}

}  // namespace

void validate(const Schedule& schedule, bool with_backward) {
  check_shape(schedule);
  check_complete(schedule, with_backward);
  check_order(schedule);
  check_no_deadlock(schedule);
}

}  // namespace argosy
