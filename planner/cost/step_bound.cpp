// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/step_bound.h"

#include <algorithm>

namespace argosy {

namespace {

double busiest_rank_s(const std::vector<StageTime>& times, ScheduleKind schedule,
                      int64_t num_microbatches, int64_t virtual_stages) {
  const int64_t num_ranks = static_cast<int64_t>(times.size()) / virtual_stages;
  std::vector<double> work_s(static_cast<size_t>(num_ranks), 0.0), update_s = work_s;
  for (size_t stage = 0; stage < times.size(); ++stage) {
    const StageDurations& d = times[stage].durations;
    const auto rank = static_cast<size_t>(
        pipeline_rank_of_stage(schedule, num_ranks, static_cast<int64_t>(stage)));
    work_s[rank] +=
        static_cast<double>(num_microbatches) * (d.forward_s + d.backward_s) + d.reduce_s;
    update_s[rank] += d.optimizer_s;
  }
  return *std::max_element(work_s.begin(), work_s.end()) +
         *std::max_element(update_s.begin(), update_s.end());
}

}  // namespace

double step_bound_s(const std::vector<StageTime>& times, ScheduleKind schedule,
                    int64_t num_microbatches, int64_t virtual_stages) {
  if (!is_plain(schedule)) {
    return busiest_rank_s(times, schedule, num_microbatches, virtual_stages);
  }
  const double m = static_cast<double>(num_microbatches);
  const int64_t num_stages = static_cast<int64_t>(times.size());
  double before_s = 0, after_s = 0;  // first forward on its way in, last backward on its way out
  double round_trip_s = 0, reduced_s = 0, optimizer_s = 0;
  const double first_reduce_s = times.front().durations.reduce_s;
  for (const StageTime& time : times) {
    const StageDurations& d = time.durations;
    const double work_s = m * (d.forward_s + d.backward_s);
    after_s += d.send_gradient_s;
    reduced_s =
        std::max(reduced_s, before_s + work_s + std::max(d.reduce_s, after_s + first_reduce_s));
    before_s += d.forward_s + d.send_activation_s;
    after_s += d.backward_s;
    round_trip_s += d.forward_s + d.backward_s + d.send_activation_s + d.send_gradient_s;
    optimizer_s = std::max(optimizer_s, d.optimizer_s);
  }
  if (schedule == ScheduleKind::one_f_one_b) {
    const double rounds = static_cast<double>((num_microbatches + num_stages - 1) / num_stages);
    reduced_s = std::max(reduced_s, rounds * round_trip_s + first_reduce_s);
  }
  return reduced_s + optimizer_s;
}

}  // namespace argosy
