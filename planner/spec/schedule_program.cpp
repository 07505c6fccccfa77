// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/schedule_program.h"

#include <algorithm>

#include "planner/spec/check.h"
#include "planner/spec/schedule_play.h"

namespace argosy {

namespace {

constexpr uint32_t kStart = 0;  // the time slot that stays 0
// Seconds of a stage, in the order of the kinds that take any.
constexpr uint32_t kNumSeconds = 6;

uint32_t seconds_of(ActionKind kind) {
  switch (kind) {
    case ActionKind::forward:
      return 0;
    case ActionKind::backward:
      return 1;
    case ActionKind::backward_input:
      return 2;
    case ActionKind::backward_weight:
      return 3;
    case ActionKind::send_activation:
    case ActionKind::recv_activation:
      return 4;
    case ActionKind::send_gradient:
    case ActionKind::recv_gradient:
      break;
  }
  return 5;
}

}  // namespace

ScheduleProgram::ScheduleProgram(const Schedule& schedule)
    : num_ranks_(static_cast<uint32_t>(schedule.actions.size())) {
  for (const int rank : schedule.rank_of_stage) {
    rank_of_stage_.push_back(static_cast<uint32_t>(rank));
  }
  const ActionIndex index(schedule);
  const auto slot = [&](const Action& action) { return static_cast<uint32_t>(index(action)) + 1; };
  const auto rank_of = [&](int stage) { return rank_of_stage_[static_cast<size_t>(stage)]; };
  num_times_ = static_cast<uint32_t>(index.size()) + 1;
  std::vector<bool> is_posted(num_times_), is_complete(num_times_);
  const auto ready = [&](size_t, const Action& action) {
    bool all = true;
    for_each_prerequisite(action, schedule,
                          [&](const Action& needed) { all = all && is_complete[slot(needed)]; });
    return all;
  };
  const auto perform = [&](size_t rank, const Action& action) {
    Step step;
    step.rank = static_cast<uint32_t>(rank);
    step.out = slot(action);
    if (is_compute(action.kind)) {
      for_each_prerequisite(action, schedule, [&](const Action& needed) {
        (step.in == kStart ? step.in : step.also_in) = slot(needed);
      });
      step.seconds = static_cast<uint32_t>(action.stage) * kNumSeconds + seconds_of(action.kind);
      is_complete[step.out] = true;
      steps_.push_back(step);
      return;
    }
    const Action other = counterpart(action);
    const Action& send = is_send(action.kind) ? action : other;
    const Action& receive = is_send(action.kind) ? other : action;
    step.kind = StepKind::post;
    if (is_posted[slot(other)]) {
      step.kind = StepKind::transfer;
      step.in = slot(other);
      step.out = slot(receive);
      step.seconds = static_cast<uint32_t>(send.stage) * kNumSeconds + seconds_of(send.kind);
      step.link = rank_of(send.stage) * num_ranks_ + rank_of(receive.stage);
      is_complete[slot(send)] = is_complete[slot(receive)] = true;
    }
    is_posted[slot(action)] = true;
    steps_.push_back(step);
  };
  const std::vector<size_t> done = play(schedule, ready, perform);
  for (size_t rank = 0; rank < done.size(); ++rank) {
    CHECK(done[rank] == schedule.actions[rank].size(), "rank ", rank, " is stuck at ",
          to_string(schedule.actions[rank][done[rank]]), ": not a valid schedule");
  }
  share_times();
}

// A time has the place of one that nobody reads any more: as many as are in flight, not one for
// each action, which for long schedules were megabytes to clear for each simulation.
void ScheduleProgram::share_times() {
  std::vector<size_t> last_read(num_times_, 0);
  for (size_t i = 0; i < steps_.size(); ++i) {
    last_read[steps_[i].in] = last_read[steps_[i].also_in] = i;
  }
  std::vector<uint32_t> places(num_times_, kStart), free;
  uint32_t num_places = kStart + 1;
  for (size_t i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    const Step before = step;
    step.in = places[before.in];
    step.also_in = places[before.also_in];
    const auto release = [&](uint32_t time) {
      if (time != kStart && last_read[time] <= i) free.push_back(places[time]);
    };
    release(before.in);
    if (before.also_in != before.in) release(before.also_in);
    if (places[before.out] == kStart) {
      if (free.empty()) free.push_back(num_places++);
      places[before.out] = free.back();
      free.pop_back();
      release(before.out);
    }
    step.out = places[before.out];
  }
  num_times_ = num_places;
}

double ScheduleProgram::step_s(const std::vector<StageDurations>& durations) const {
  CHECK(durations.size() == rank_of_stage_.size(), durations.size(), " durations for ",
        rank_of_stage_.size(), " stages");
  std::vector<double> seconds;
  seconds.reserve(durations.size() * kNumSeconds);
  for (const StageDurations& d : durations) {
    seconds.insert(seconds.end(), {d.forward_s, d.backward_s, d.backward_input_s,
                                   d.backward_weight_s, d.send_activation_s, d.send_gradient_s});
  }
  std::vector<double> times(num_times_, 0.0), clocks(num_ranks_, 0.0);
  std::vector<double> links(static_cast<size_t>(num_ranks_) * num_ranks_, 0.0);
  double last_s = 0;
  for (const Step& step : steps_) {
    double& clock = clocks[step.rank];
    if (step.kind == StepKind::compute) {
      clock = std::max({clock, times[step.in], times[step.also_in]}) + seconds[step.seconds];
      times[step.out] = clock;
    } else if (step.kind == StepKind::post) {
      times[step.out] = clock;
    } else {
      double& link = links[step.link];
      link = std::max({clock, times[step.in], link}) + seconds[step.seconds];
      times[step.out] = link;
      last_s = std::max(last_s, link);
    }
  }
  std::vector<double> reduce_s(num_ranks_, 0.0), update_s(num_ranks_, 0.0);
  for (size_t stage = 0; stage < durations.size(); ++stage) {
    reduce_s[rank_of_stage_[stage]] += durations[stage].reduce_s;
    update_s[rank_of_stage_[stage]] += durations[stage].optimizer_s;
  }
  double reduced_s = 0;
  for (size_t rank = 0; rank < num_ranks_; ++rank) {
    reduced_s = std::max(reduced_s, clocks[rank] + reduce_s[rank]);
  }
  const double longest_update_s = *std::max_element(update_s.begin(), update_s.end());
  return std::max(last_s, reduced_s + longest_update_s);
}

}  // namespace argosy
