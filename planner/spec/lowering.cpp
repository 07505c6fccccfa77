// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// From who computes what to who sends what to whom, and what that keeps in memory.
#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/schedule.h"
#include "planner/spec/schedule_play.h"

namespace argosy {

namespace {

constexpr size_t kNowhere = std::numeric_limits<size_t>::max();

int rank_of(const Schedule& schedule, int stage) {
  return schedule.rank_of_stage[static_cast<size_t>(stage)];
}

// The transfer that carries the result of `compute` to another rank; false if there is none.
bool needs_send(const Schedule& schedule, const Action& compute, Action& send) {
  const bool is_forward = compute.kind == ActionKind::forward;
  if (!is_forward && compute.kind != gradient_maker(schedule)) return false;
  const int reader = compute.stage + (is_forward ? 1 : -1);
  if (reader < 0 || reader >= schedule.num_stages) return false;
  if (rank_of(schedule, reader) == rank_of(schedule, compute.stage)) return false;
  send = {is_forward ? ActionKind::send_activation : ActionKind::send_gradient, compute.stage,
          compute.microbatch};
  return true;
}

// The compute that reads what `receive` brings.
Action reader_of(const Schedule& schedule, const Action& receive) {
  const bool is_activation = receive.kind == ActionKind::recv_activation;
  return {is_activation ? ActionKind::forward : gradient_maker(schedule), receive.stage,
          receive.microbatch};
}

// Place of every compute in the list of its rank; [ActionIndex].
std::vector<size_t> positions(const Schedule& schedule, const ActionIndex& index) {
  std::vector<size_t> position(index.size(), kNowhere);
  for (const std::vector<Action>& actions : schedule.actions) {
    for (size_t i = 0; i < actions.size(); ++i) {
      CHECK(is_compute(actions[i].kind), to_string(actions[i]), " is a transfer already");
      position[index(actions[i])] = i;
    }
  }
  return position;
}

using Channel = std::pair<int, int>;  // from rank, to rank

// Every message of a channel in the order in which it is sent.
std::map<Channel, std::vector<Action>> receives_by_channel(const Schedule& schedule) {
  std::map<Channel, std::vector<Action>> channels;
  for (size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    for (const Action& compute : schedule.actions[rank]) {
      Action send;
      if (!needs_send(schedule, compute, send)) continue;
      const Action receive = counterpart(send);
      channels[{static_cast<int>(rank), rank_of(schedule, receive.stage)}].push_back(receive);
    }
  }
  return channels;
}

// receives[rank][i]: posted directly before the i-th compute of the rank.
using ReceivesBefore = std::vector<std::vector<std::vector<Action>>>;

// A receive stands one compute ahead of its reader, so that the data travels under that compute
// and one more buffer is the price. It never stands behind a later message of its channel: both
// ends name messages in the order of sending.
ReceivesBefore place_receives(const Schedule& schedule) {
  const ActionIndex index(schedule);
  const std::vector<size_t> position_of = positions(schedule, index);
  ReceivesBefore before(schedule.actions.size());
  for (size_t rank = 0; rank < before.size(); ++rank) {
    before[rank].resize(schedule.actions[rank].size());
  }
  for (const auto& [channel, messages] : receives_by_channel(schedule)) {
    const auto rank = static_cast<size_t>(channel.second);
    std::vector<size_t> position(messages.size());
    size_t latest = schedule.actions[rank].size();
    for (size_t i = messages.size(); i-- > 0;) {
      const size_t reader = position_of[index(reader_of(schedule, messages[i]))];
      CHECK(reader != kNowhere, to_string(reader_of(schedule, messages[i])), " is missing");
      latest = std::min(latest, reader > 0 ? reader - 1 : 0);
      position[i] = latest;
    }
    for (size_t i = 0; i < messages.size(); ++i) {
      before[rank][position[i]].push_back(messages[i]);
    }
  }
  return before;
}

}  // namespace

Schedule add_transfers(const Schedule& compute_only) {
  const ReceivesBefore receives = place_receives(compute_only);
  Schedule schedule = compute_only;
  for (size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    std::vector<Action>& actions = schedule.actions[rank];
    actions.clear();
    for (size_t i = 0; i < compute_only.actions[rank].size(); ++i) {
      const Action& compute = compute_only.actions[rank][i];
      actions.insert(actions.end(), receives[rank][i].begin(), receives[rank][i].end());
      actions.push_back(compute);
      Action send;
      if (needs_send(compute_only, compute, send)) actions.push_back(send);
    }
  }
  return schedule;
}

std::vector<int> max_in_flight(const Schedule& schedule) {
  std::vector<int> most(schedule.actions.size(), 0);
  for (size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    const std::vector<Action>& actions = schedule.actions[rank];
    const ActionKind last = last_of_microbatch(schedule);
    const bool has_backward = std::any_of(actions.begin(), actions.end(),
                                          [&](const Action& a) { return a.kind == last; });
    int alive = 0;
    for (const Action& action : actions) {
      if (action.kind == ActionKind::forward) most[rank] = std::max(most[rank], ++alive);
      const bool frees = action.kind == (has_backward ? last : ActionKind::forward);
      if (frees) --alive;
    }
  }
  return most;
}

}  // namespace argosy
