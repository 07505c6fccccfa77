// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/timeline.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/schedule_play.h"

namespace argosy {

namespace {

constexpr double kUnknown = -1.0;  // not posted or not complete yet; times are >= 0

double seconds(const Action& action, const StageDurations& stage) {
  switch (action.kind) {
    case ActionKind::forward:
      return stage.forward_s;
    case ActionKind::backward:
      return stage.backward_s;
    case ActionKind::backward_input:
      return stage.backward_input_s;
    case ActionKind::backward_weight:
      return stage.backward_weight_s;
    case ActionKind::send_activation:
      return stage.send_activation_s;
    case ActionKind::send_gradient:
      return stage.send_gradient_s;
    case ActionKind::recv_activation:
    case ActionKind::recv_gradient:
      break;
  }
  return 0;  // the time of a transfer is its send's
}

// One step in the making. Times in seconds from the start of the step.
class Simulation {
 public:
  Simulation(const Schedule& schedule, const std::vector<StageDurations>& durations,
             bool keeps_events)
      : keeps_events_(keeps_events),
        schedule_(schedule),
        durations_(durations),
        index_(schedule),
        posted_s_(index_.size(), kUnknown),
        complete_s_(index_.size(), kUnknown),
        clock_s_(schedule.actions.size(), 0.0),
        link_free_s_(clock_s_.size() * clock_s_.size(), 0.0) {
    if (keeps_events_) timeline_.events.reserve(2 * index_.size() / 3);  // compute, send, wait
  }

  bool ready(const Action& action) const {
    bool all_complete = true;
    for_each_prerequisite(action, schedule_, [&](const Action& needed) {
      all_complete = all_complete && complete_s_[index_(needed)] != kUnknown;
    });
    return all_complete;
  }

  void perform(size_t rank, const Action& action) {
    if (is_compute(action.kind)) {
      compute(rank, action);
    } else {
      post(rank, action);
    }
  }

  Timeline finish() {
    reduce_and_update();
    return std::move(timeline_);
  }

 private:
  const StageDurations& durations_of(const Action& action) const {
    return durations_[static_cast<size_t>(action.stage)];
  }

  // `name()` is called for events that are kept alone: text takes longer than the simulation.
  template <typename Name>
  void add_event(size_t rank, Name name, double start_s, double end_s) {
    timeline_.step_s = std::max(timeline_.step_s, end_s);
    if (!keeps_events_) return;
    timeline_.events.push_back({static_cast<int>(rank), name(), start_s, end_s});
  }

  void compute(size_t rank, const Action& action) {
    double& clock_s = clock_s_[rank];
    for_each_prerequisite(action, schedule_, [&](const Action& needed) {
      const double available_s = complete_s_[index_(needed)];
      if (available_s <= clock_s) return;
      add_event(
          rank, [&] { return "wait " + to_string(needed); }, clock_s, available_s);
      clock_s = available_s;
    });
    const double start_s = clock_s;
    clock_s += seconds(action, durations_of(action));
    complete_s_[index_(action)] = clock_s;
    add_event(
        rank, [&] { return to_string(action); }, start_s, clock_s);
  }

  // Posting takes no time. The second of both ends starts the transfer, which waits for the one
  // before it in the same direction: two messages do not share a link for free.
  void post(size_t rank, const Action& action) {
    posted_s_[index_(action)] = clock_s_[rank];
    const Action other = counterpart(action);
    if (posted_s_[index_(other)] == kUnknown) return;
    const Action& send = is_send(action.kind) ? action : other;
    const Action& receive = is_send(action.kind) ? other : action;
    const size_t sender = rank_of(send.stage);
    double& link_free_s = link_free_s_[sender * clock_s_.size() + rank_of(receive.stage)];
    const double start_s =
        std::max({posted_s_[index_(send)], posted_s_[index_(receive)], link_free_s});
    link_free_s = start_s + seconds(send, durations_of(send));
    complete_s_[index_(send)] = complete_s_[index_(receive)] = link_free_s;
    add_event(
        sender, [&] { return to_string(send); }, start_s, link_free_s);
  }

  // Gradients are reduced among the ranks of a stage as soon as they are complete there; the update
  // waits for all stages, because the gradient norm is one number of the whole world.
  void reduce_and_update() {
    std::vector<double> update_s(clock_s_.size(), 0.0), reduce_s(clock_s_.size(), 0.0);
    for (int stage = 0; stage < schedule_.num_stages; ++stage) {
      const StageDurations& stage_durations = durations_[static_cast<size_t>(stage)];
      reduce_s[rank_of(stage)] += stage_durations.reduce_s;
      update_s[rank_of(stage)] += stage_durations.optimizer_s;
    }
    double all_reduced_s = 0;
    for (size_t rank = 0; rank < clock_s_.size(); ++rank) {
      const double end_s = clock_s_[rank] + reduce_s[rank];
      if (reduce_s[rank] > 0) {
        add_event(
            rank, [] { return "reduce"; }, clock_s_[rank], end_s);
      }
      all_reduced_s = std::max(all_reduced_s, end_s);
    }
    for (size_t rank = 0; rank < clock_s_.size(); ++rank) {
      if (update_s[rank] > 0) {
        add_event(
            rank, [] { return "optimizer"; }, all_reduced_s, all_reduced_s + update_s[rank]);
      }
    }
  }

  size_t rank_of(int stage) const {
    return static_cast<size_t>(schedule_.rank_of_stage[static_cast<size_t>(stage)]);
  }

  bool keeps_events_;
  const Schedule& schedule_;
  const std::vector<StageDurations>& durations_;
  ActionIndex index_;
  std::vector<double> posted_s_, complete_s_;  // [action]
  std::vector<double> clock_s_;                // [pipeline rank]
  std::vector<double> link_free_s_;            // [from rank][to rank]
  Timeline timeline_;
};

// "0F3", "12B0", "1W2", "reduce", "optimizer": what keeps a rank busy.
bool is_busy(const std::string& name) {
  if (name == "reduce" || name == "optimizer") return true;
  const size_t kind = name.find_first_not_of("0123456789");
  if (kind == 0 || kind == std::string::npos || kind + 1 >= name.size()) return false;
  return std::string_view("FBIW").find(name[kind]) != std::string_view::npos &&
         name.find_first_not_of("0123456789", kind + 1) == std::string::npos;
}

}  // namespace

namespace {

Timeline run_through(const Schedule& schedule, const std::vector<StageDurations>& durations,
                     bool keeps_events) {
  CHECK(durations.size() == static_cast<size_t>(schedule.num_stages), durations.size(),
        " durations for ", schedule.num_stages, " stages");
  Simulation simulation(schedule, durations, keeps_events);
  const std::vector<size_t> done = play(
      schedule, [&](size_t, const Action& action) { return simulation.ready(action); },
      [&](size_t rank, const Action& action) { simulation.perform(rank, action); });
  for (size_t rank = 0; rank < done.size(); ++rank) {
    CHECK(done[rank] == schedule.actions[rank].size(), "rank ", rank, " is stuck at ",
          to_string(schedule.actions[rank][done[rank]]), ": not a valid schedule");
  }
  return simulation.finish();
}

}  // namespace

Timeline simulate(const Schedule& schedule, const std::vector<StageDurations>& durations) {
  return run_through(schedule, durations, true);
}

double simulated_step_s(const Schedule& schedule, const std::vector<StageDurations>& durations) {
  return run_through(schedule, durations, false).step_s;
}

double bubble_fraction(const Timeline& timeline, int num_ranks) {
  double busy_s = 0;
  for (const TimelineEvent& event : timeline.events) {
    if (is_busy(event.name)) busy_s += event.end_s - event.start_s;
  }
  const double available_s = num_ranks * timeline.step_s;
  return available_s > 0 ? 1.0 - busy_s / available_s : 0.0;
}

}  // namespace argosy
