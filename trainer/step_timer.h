// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Splits a step of this rank into its parts while it runs: by the clock of what computes. On a
// device that works by itself the parts are those of its compute queue, the host running ahead.
#pragma once

#include <vector>

#include "comm/times.h"
#include "planner/spec/timeline.h"
#include "trainer/device/work_clock.h"
#include "trainer/run/step_parts.h"

namespace argosy {

class StepTimer {
  struct Phase {
    double StepParts::*part;
    const char* name;  // null: no event
    Moment end;
    BlockedSeconds blocked_s;  // of the host, until the end
    int64_t num_waits;         // of a device's compute queue, until the end
  };

 public:
  // The step begins, the device having nothing to do. `times` is where the rank's communicators
  // measure; both are restarted.
  StepTimer(CommTimes& times, WorkClock& clock, int rank, bool has_pipeline);
  // Whatever ends the step ends its stamps.
  ~StepTimer() { clock_.stop(); }
  StepTimer(const StepTimer&) = delete;
  StepTimer& operator=(const StepTimer&) = delete;

  // Seconds since the last end_phase(), without those inside the communicator, go to `part`; a
  // phase with a name becomes an event of the timeline.
  void end_phase(double StepParts::*part, const char* name = nullptr);

  // What a device writes down by itself.
  struct Notes {
    std::vector<Phase> phases;
    DeviceCalls calls;
    int64_t num_stamps = 0;  // at their end
  };
  // Everything from phase `first_phase` on. Where that was captured, each launch has the device
  // write its stamps again, behind phases that ended as before: repeat() takes the same notes.
  Notes notes(size_t first_phase) const;
  void repeat(const Notes& notes);

  // The last phase has ended, and a device is done with it: events of all phases, of `spans` and of
  // every collective ("all_reduce tp"), and the parts. Blocking on neighbour stages is the bubble;
  // with a pipeline so is control traffic, where ranks that are done wait for the last stage to be
  // done.
  void finish(const std::vector<WorkSpan>& spans, Timeline* timeline, StepParts* parts);

  // After finish(): what calls took by kind, pipeline and control traffic left out.
  std::array<double, kNumCollectiveKinds> collective_s() const;

 private:
  void add_blocked(const BlockedSeconds& blocked_s, StepParts* parts) const;

  CommTimes& times_;
  WorkClock& clock_;
  int rank_;
  bool has_pipeline_;
  std::vector<Phase> phases_;
};

}  // namespace argosy
