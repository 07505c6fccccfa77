// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/step_timer.h"

#include <numeric>

#include "planner/spec/check.h"

namespace argosy {

StepTimer::StepTimer(CommTimes& times, WorkClock& clock, int rank, bool has_pipeline)
    : times_(times), clock_(clock), rank_(rank), has_pipeline_(has_pipeline) {
  times_.restart();
  clock_.restart();
}

void StepTimer::end_phase(double StepParts::*part, const char* name) {
  phases_.push_back({part, name, clock_.now(), times_.blocked_s(), times_.num_waits()});
}

StepTimer::Notes StepTimer::notes(size_t first_phase) const {
  CHECK(first_phase <= phases_.size(), "phase ", first_phase, " of ", phases_.size());
  return {{phases_.begin() + static_cast<int64_t>(first_phase), phases_.end()},
          times_.on_device(),
          clock_.num_stamps()};
}

void StepTimer::repeat(const Notes& notes) {
  CHECK(times_.num_waits() == 0, times_.num_waits(), " waits before those of a captured step");
  phases_.insert(phases_.end(), notes.phases.begin(), notes.phases.end());
  times_.add(notes.calls);
  clock_.skip_to(notes.num_stamps);
}

void StepTimer::add_blocked(const BlockedSeconds& blocked_s, StepParts* parts) const {
  for (int i = 0; i < kNumAxes; ++i) {
    const Axis axis = static_cast<Axis>(i);
    const bool is_bubble = axis == Axis::pp || (axis == Axis::world && has_pipeline_);
    (is_bubble ? parts->bubble_s : parts->exposed_comm_s[static_cast<size_t>(i)]) +=
        blocked_s[static_cast<size_t>(i)];
  }
}

void StepTimer::finish(const std::vector<WorkSpan>& spans, Timeline* timeline, StepParts* parts) {
  times_.read_device();
  *parts = {};
  for (const WorkSpan& span : spans) {
    timeline->events.push_back(
        {rank_, span.name, clock_.seconds(span.begin), clock_.seconds(span.end)});
  }
  double begin_s = 0;
  BlockedSeconds before{};
  int64_t waits_before = 0;
  for (const Phase& phase : phases_) {
    BlockedSeconds blocked_s = phase.blocked_s;
    for (size_t i = 0; i < blocked_s.size(); ++i) blocked_s[i] -= before[i];
    // A device goes on while the host talks to other hosts: what its compute queue waited for
    // counts.
    if (clock_.is_device()) blocked_s = times_.waited_s(waits_before, phase.num_waits);
    const double end_s = clock_.seconds(phase.end);
    parts->*phase.part +=
        (end_s - begin_s) - std::accumulate(blocked_s.begin(), blocked_s.end(), 0.0);
    add_blocked(blocked_s, parts);
    if (phase.name != nullptr) timeline->events.push_back({rank_, phase.name, begin_s, end_s});
    begin_s = end_s;
    before = phase.blocked_s;
    waits_before = phase.num_waits;
  }
  timeline->step_s = begin_s;
  for (const CommSpan& span : times_.spans()) {
    timeline->events.push_back(
        {rank_, concat(to_string(span.kind), " ", to_string(span.axis)), span.start_s, span.end_s});
  }
}

std::array<double, kNumCollectiveKinds> StepTimer::collective_s() const {
  std::array<double, kNumCollectiveKinds> seconds{};
  for (const CommSpan& span : times_.spans()) {
    if (span.axis == Axis::pp || span.axis == Axis::world) continue;
    seconds[static_cast<size_t>(span.kind)] += span.busy_s;
  }
  return seconds;
}

}  // namespace argosy
