// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// When each rank did what: one type for the predicted and the measured step, so that they can be
// laid over each other.
#pragma once

#include <string>
#include <vector>

#include "planner/spec/plan.h"
#include "planner/spec/schedule.h"

namespace argosy {

struct TimelineEvent {
  int rank = 0;        // pipeline rank in a prediction, world rank in a measurement
  std::string name;    // "0F3", "1SEND_B0", "reduce", "optimizer", "wait 1RECV_F0"
  double start_s = 0;  // from the start of the step
  double end_s = 0;
};

struct Timeline {
  std::vector<TimelineEvent> events;
  double step_s = 0;
};

// Runs the schedule, which must be valid, against durations [num_stages]. Compute occupies the
// rank; a transfer starts once both ends have posted it and the one before it in the same direction
// is through, takes its sender's send_*_s beside compute, and blocks only who waits for its data.
// A tensor between two stages of one rank needs no transfer. Each rank reduces after its last
// action; all update together after the last reduction, because the gradient norm is one number of
// the whole world. Events of a rank: computes, its sends, its waits, "reduce", "optimizer".
Timeline simulate(const Schedule& schedule, const std::vector<StageDurations>& durations);
// step_s of it alone, several times as fast.
double simulated_step_s(const Schedule& schedule, const std::vector<StageDurations>& durations);

// 1 - busy compute time / (ranks * step_s), reduce and optimizer counted as busy.
double bubble_fraction(const Timeline& timeline, int num_ranks);

}  // namespace argosy
