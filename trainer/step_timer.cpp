// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/step_timer.h"

#include <numeric>

#include "planner/spec/check.h"

namespace argosy {

double StepTimer::blocked_s() const {
  const BlockedSeconds& blocked_s = times_.blocked_s();
  return std::accumulate(blocked_s.begin(), blocked_s.end(), 0.0);
}

void StepTimer::end_phase(double StepParts::*part, const char* name) {
  const double end_s = now_s(), blocked_until_now_s = blocked_s();
  parts_.*part += (end_s - phase_begin_s_) - (blocked_until_now_s - phase_blocked_s_);
  if (name != nullptr) phases_.push_back({rank_, name, phase_begin_s_, end_s});
  phase_begin_s_ = end_s;
  phase_blocked_s_ = blocked_until_now_s;
}

void StepTimer::finish(Timeline* timeline, StepParts* parts) {
  end_phase(&StepParts::compute_s);
  for (int i = 0; i < kNumAxes; ++i) {
    const Axis axis = static_cast<Axis>(i);
    const double seconds = times_.blocked_s()[static_cast<size_t>(i)];
    const bool is_bubble = axis == Axis::pp || (axis == Axis::world && has_pipeline_);
    (is_bubble ? parts_.bubble_s : parts_.exposed_comm_s[static_cast<size_t>(i)]) += seconds;
  }
  *parts = parts_;
  timeline->step_s = phase_begin_s_;
  timeline->events.insert(timeline->events.end(), phases_.begin(), phases_.end());
  for (const CommSpan& span : times_.spans()) {
    timeline->events.push_back(
        {rank_, concat(to_string(span.kind), " ", to_string(span.axis)), span.start_s, span.end_s});
  }
}

std::array<double, kNumCollectiveKinds> StepTimer::collective_s() const {
  std::array<double, kNumCollectiveKinds> seconds{};
  for (const CommSpan& span : times_.spans()) {
    if (span.axis == Axis::pp || span.axis == Axis::world) continue;
    seconds[static_cast<size_t>(span.kind)] += span.blocked_s;
  }
  return seconds;
}

}  // namespace argosy
