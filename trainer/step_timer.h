// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Splits a step of this rank into its parts while it runs.
#pragma once

#include "comm/times.h"
#include "planner/spec/timeline.h"
#include "trainer/run/step_parts.h"

namespace argosy {

class StepTimer {
 public:
  // The step begins. `times` is where the rank's communicators measure; it is restarted.
  StepTimer(CommTimes& times, int rank, bool has_pipeline)
      : times_(times), rank_(rank), has_pipeline_(has_pipeline) {
    times_.restart();
  }

  double now_s() const { return times_.now_s(); }  // from the step's start

  // Seconds since the last end_phase(), without those inside the communicator, go to `part`; a
  // phase with a name becomes an event of the timeline.
  void end_phase(double StepParts::*part, const char* name = nullptr);

  // The step ends: events of all phases and of every collective ("all_reduce tp"), and the parts.
  // Blocking on neighbour stages is the bubble; with a pipeline so is control traffic, where ranks
  // that are done wait for the last stage to be done.
  void finish(Timeline* timeline, StepParts* parts);

  // After finish(): seconds inside the communicator by kind, pipeline and control traffic left out.
  std::array<double, kNumCollectiveKinds> collective_s() const;

 private:
  double blocked_s() const;

  CommTimes& times_;
  int rank_;
  bool has_pipeline_;
  StepParts parts_;
  std::vector<TimelineEvent> phases_;
  double phase_begin_s_ = 0, phase_blocked_s_ = 0;
};

}  // namespace argosy
