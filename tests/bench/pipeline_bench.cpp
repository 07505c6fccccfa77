// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// pipeline_bench: the bubble of each pipeline schedule, measured beside predicted, at 4 ranks and 8
// micro-batches. Ranks are threads; compute is made slow by sleeping, so that the result depends on
// the schedule and its executor and not on how many cores there are.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "comm/thread/thread_communicator.h"
#include "tests/end_to_end/layout_run.h"
#include "tests/end_to_end/layouts.h"

namespace argosy {
namespace {

constexpr int64_t kRanks = 4, kMicrobatches = 8;
constexpr double kPass_s = 0.060;  // forward of a rank's layers; their backward takes twice that

struct Case {
  ScheduleKind schedule;
  int64_t virtual_stages;
};
constexpr Case kCases[] = {{ScheduleKind::gpipe, 1},       {ScheduleKind::one_f_one_b, 1},
                           {ScheduleKind::interleaved, 2}, {ScheduleKind::interleaved, 3},
                           {ScheduleKind::zb_h1, 1},       {ScheduleKind::zb_v, 2}};

Plan plan_of_case(const Case& c) {
  Plan plan = plan_of({.name = "bench",
                       .mesh = {.pp = kRanks},
                       .schedule = c.schedule,
                       .virtual_stages = c.virtual_stages,
                       .num_layers = 12});
  plan.global_batch = kMicrobatches;
  return plan;
}

double seconds(const Action& action, double pass_s) {
  return action.kind == ActionKind::backward ? 2 * pass_s : pass_s;
}

bool is_compute_event(const std::string& name) {
  const size_t kind = name.find_first_not_of("0123456789");
  return kind > 0 && kind + 1 < name.size() && std::string("FBIW").find(name[kind]) < 4 &&
         name.find_first_not_of("0123456789", kind + 1) == std::string::npos;
}

struct Measured {
  double first_s = std::numeric_limits<double>::infinity(), last_s = 0, busy_s = 0;
};

// From the first action of any rank to the last; without reduction and optimizer.
Measured measure(const Plan& plan, double pass_s) {
  const auto origin = std::chrono::steady_clock::now();
  std::mutex mutex;
  Measured total;
  run_on_threads(static_cast<int>(kRanks), [&](Communicator& world) {
    double begin_s = 0, step_begin_s = std::numeric_limits<double>::infinity();
    const auto now_s = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - origin).count();
    };
    const LayoutRecord record = run_layout(world, plan, 1, {}, [&](const Action& action) {
      begin_s = now_s();
      step_begin_s = std::min(step_begin_s, begin_s);
      std::this_thread::sleep_for(std::chrono::duration<double>(seconds(action, pass_s)));
    });
    // The rank's clock in the timeline starts with its step: its first action ties both clocks.
    double first_s = std::numeric_limits<double>::infinity(), last_s = 0, busy_s = 0;
    for (const TimelineEvent& event : record.timeline.events) {
      if (!is_compute_event(event.name)) continue;
      first_s = std::min(first_s, event.start_s);
      last_s = std::max(last_s, event.end_s);
      busy_s += event.end_s - event.start_s;
    }
    const std::lock_guard<std::mutex> lock(mutex);
    total.first_s = std::min(total.first_s, step_begin_s);
    total.last_s = std::max(total.last_s, step_begin_s + last_s - first_s);
    total.busy_s += busy_s;
  });
  return total;
}

void run_case(const Case& c) {
  const Plan plan = plan_of_case(c);
  const double pass_s = kPass_s / static_cast<double>(c.virtual_stages);
  const StageDurations durations{.forward_s = pass_s,
                                 .backward_s = 2 * pass_s,
                                 .backward_input_s = pass_s,
                                 .backward_weight_s = pass_s};
  const std::vector<StageDurations> stages(static_cast<size_t>(plan.num_stages()), durations);
  const Timeline predicted = simulate(build_schedule(plan), stages);
  const Measured measured = measure(plan, pass_s);
  const double step_s = measured.last_s - measured.first_s;
  const double bubble = 1 - measured.busy_s / (static_cast<double>(kRanks) * step_s);
  std::printf("%-12s %6lld %12.1f %12.1f %11.1f%% %11.1f%%\n",
              std::string(to_string(c.schedule)).c_str(), static_cast<long long>(c.virtual_stages),
              predicted.step_s * 1e3, step_s * 1e3,
              bubble_fraction(predicted, static_cast<int>(kRanks)) * 100, bubble * 100);
}

}  // namespace
}  // namespace argosy

int main() {
  std::printf(
      "pipeline of %lld ranks, %lld micro-batches, %.0f ms forward and %.0f ms backward a rank\n",
      static_cast<long long>(argosy::kRanks), static_cast<long long>(argosy::kMicrobatches),
      argosy::kPass_s * 1e3, 2 * argosy::kPass_s * 1e3);
  std::printf("%-12s %6s %12s %12s %12s %12s\n", "schedule", "stages", "predicted ms",
              "measured ms", "bubble pred.", "bubble meas.");
  for (const argosy::Case& c : argosy::kCases) argosy::run_case(c);
  return 0;
}
