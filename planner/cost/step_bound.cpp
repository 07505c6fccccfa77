// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/step_bound.h"

#include <algorithm>

#include "planner/cost/memory.h"
#include "planner/spec/integers.h"

namespace argosy {

namespace {

// What a rank has to do, and what must happen before it can start and after it is done.
struct RankWork {
  double forward_s = 0, backward_s = 0, input_s = 0,
         weight_s = 0;  // of one micro-batch, all stages
  double reduce_s = 0, optimizer_s = 0;
  double before_s = 0;  // the first micro-batch on its way to the rank's first stage
  double after_s = 0;   // a gradient on its way from there to stage 0
};

// Rank r's first stage is stage r wherever stages go round or down and up the ranks.
std::vector<RankWork> rank_works(const std::vector<StageTime>& times, ScheduleKind schedule,
                                 int64_t num_ranks) {
  std::vector<RankWork> works(static_cast<size_t>(num_ranks));
  for (size_t stage = 0; stage < times.size(); ++stage) {
    const StageDurations& d = times[stage].durations;
    RankWork& work = works[static_cast<size_t>(
        pipeline_rank_of_stage(schedule, num_ranks, static_cast<int64_t>(stage)))];
    work.forward_s += d.forward_s;
    work.backward_s += d.backward_s;
    work.input_s += d.backward_input_s;
    work.weight_s += d.backward_weight_s;
    work.reduce_s += d.reduce_s;
    work.optimizer_s += d.optimizer_s;
  }
  for (size_t rank = 1; rank < works.size(); ++rank) {
    const StageDurations& d = times[rank - 1].durations;
    works[rank].before_s = works[rank - 1].before_s + d.forward_s + d.send_activation_s;
    works[rank].after_s = works[rank - 1].after_s + times[rank].durations.send_gradient_s +
                          (splits_backward(schedule) ? d.backward_input_s : d.backward_s);
  }
  return works;
}

// The first micro-batch passes all stages, the last stage works through the others, the last
// gradient passes all stages. Messages between stages of one rank do not exist: none is counted.
double round_trip_s(const std::vector<StageTime>& times, ScheduleKind schedule, double m) {
  const auto pass_s = [schedule](const StageDurations& d) {
    return d.forward_s + (splits_backward(schedule) ? d.backward_input_s : d.backward_s);
  };
  double sum_s = (m - 1) * pass_s(times.back().durations);
  for (const StageTime& time : times) sum_s += pass_s(time.durations);
  return sum_s;
}

// With several stages on a rank, or a split backward pass.
double ranks_bound_s(const std::vector<StageTime>& times, ScheduleKind schedule,
                     int64_t num_microbatches, int64_t num_ranks) {
  const double m = static_cast<double>(num_microbatches);
  const std::vector<RankWork> works = rank_works(times, schedule, num_ranks);
  const RankWork& first = works.front();
  double reduced_s = round_trip_s(times, schedule, m) + first.reduce_s, optimizer_s = 0;
  for (size_t rank = 0; rank < works.size(); ++rank) {
    const RankWork& w = works[rank];
    double end_s = w.before_s + m * (w.forward_s + w.backward_s) + w.reduce_s;
    if (!splits_backward(schedule)) {
      end_s += std::max(0.0, w.after_s + first.reduce_s - w.reduce_s);
    } else if (schedule == ScheduleKind::zb_h1 && rank > 0) {
      // zb_h1() puts off the weights of `rank` micro-batches at most while gradients are to come,
      // and on rank 0 one is left behind the last gradient.
      const double weights = std::max(0.0, m - 1 - static_cast<double>(rank));
      end_s = std::max(end_s, w.before_s + m * (w.forward_s + w.input_s) + weights * w.weight_s +
                                  w.after_s + first.weight_s + first.reduce_s);
    }
    reduced_s = std::max(reduced_s, end_s);
    optimizer_s = std::max(optimizer_s, w.optimizer_s);
  }
  return reduced_s + optimizer_s;
}

}  // namespace

double step_bound_s(const std::vector<StageTime>& times, ScheduleKind schedule,
                    int64_t num_microbatches, int64_t virtual_stages) {
  if (!is_plain(schedule)) {
    return ranks_bound_s(times, schedule, num_microbatches,
                         static_cast<int64_t>(times.size()) / virtual_stages);
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
    const double rounds = static_cast<double>(ceil_div(num_microbatches, num_stages));
    reduced_s = std::max(reduced_s, rounds * round_trip_s + first_reduce_s);
  }
  return reduced_s + optimizer_s;
}

}  // namespace argosy
