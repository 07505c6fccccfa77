// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A schedule prepared for many simulations with other durations: what starts after what does not
// depend on them, so that it is found once.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/spec/plan.h"
#include "planner/spec/schedule.h"

namespace argosy {

class ScheduleProgram {
 public:
  ScheduleProgram() = default;  // of no actions
  explicit ScheduleProgram(const Schedule& schedule);

  // simulated_step_s() of the schedule.
  double step_s(const std::vector<StageDurations>& durations) const;

 private:
  // compute: out = clock of the rank = max(it, in, also_in) + seconds. post: out = clock of the
  // rank. transfer: out = link = max(clock of the rank, in, link) + seconds.
  enum class StepKind : uint8_t { compute, post, transfer };
  struct Step {
    StepKind kind = StepKind::compute;
    uint32_t rank = 0, seconds = 0, in = 0, also_in = 0, out = 0, link = 0;
  };

  void share_times();

  std::vector<uint32_t> rank_of_stage_;
  std::vector<Step> steps_;
  uint32_t num_times_ = 0, num_ranks_ = 0;
};

}  // namespace argosy
