// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The simulated step against closed forms (Megatron-LM, arXiv 2104.04473, section 2.2).
#include "planner/spec/timeline.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "planner/spec/schedule_program.h"

namespace argosy {
namespace {

std::vector<StageDurations> equal_stages(int stages, const StageDurations& durations) {
  return std::vector<StageDurations>(static_cast<size_t>(stages), durations);
}

const TimelineEvent& event(const Timeline& timeline, const std::string& name, int rank = 0) {
  const auto found =
      std::find_if(timeline.events.begin(), timeline.events.end(),
                   [&](const TimelineEvent& e) { return e.name == name && e.rank == rank; });
  if (found == timeline.events.end()) throw std::runtime_error("no event " + name);
  return *found;
}

TEST(Timeline, FreeTransfersGiveTheClosedForm) {
  const StageDurations durations{.forward_s = 1.0, .backward_s = 2.0};
  for (int p = 1; p <= 8; ++p) {
    for (int m = 1; m <= 17; ++m) {
      for (const ScheduleKind kind : {ScheduleKind::gpipe, ScheduleKind::one_f_one_b}) {
        const Timeline timeline = simulate(build_schedule(kind, p, m), equal_stages(p, durations));
        EXPECT_DOUBLE_EQ(timeline.step_s, (m + p - 1) * 3.0) << p << " stages, " << m;
        EXPECT_NEAR(bubble_fraction(timeline, p), (p - 1.0) / (m + p - 1.0), 1e-12);
      }
    }
  }
}

// Chunks of 1/v of a stage: the bubble is v times smaller (the same paper, section 2.2). Fewer
// micro-batches than ranks leave m - 1 + p*v passes on the longest way.
TEST(Timeline, InterleavedClosedForm) {
  const StageDurations durations{.forward_s = 1.0, .backward_s = 2.0};
  for (int p = 1; p <= 8; ++p) {
    for (int v = 2; v <= 4; ++v) {
      for (int m = 1; m <= 17; ++m) {
        const Timeline timeline = simulate(build_schedule(ScheduleKind::interleaved, p, m, v),
                                           equal_stages(p * v, durations));
        const int passes = v * std::max(m, p) + std::min(m, p) - 1;
        EXPECT_DOUBLE_EQ(timeline.step_s, passes * 3.0) << p << " x " << v << " stages, " << m;
      }
    }
  }
}

// ZB-H1: (p - 1)(F + I - W), Qi et al. 2023, table 2; ZB-V with F = I = W: p - 1 passes. The
// patterns are full from p and 2p - 1 micro-batches on.
TEST(Timeline, ZeroBubbleClosedForms) {
  const StageDurations equal{
      .forward_s = 1.0, .backward_s = 2.0, .backward_input_s = 1.0, .backward_weight_s = 1.0};
  for (int p = 1; p <= 8; ++p) {
    for (int m = p; m <= 17; ++m) {
      EXPECT_DOUBLE_EQ(
          simulate(build_schedule(ScheduleKind::zb_h1, p, m), equal_stages(p, equal)).step_s,
          3.0 * m + (p - 1))
          << p << " stages, " << m;
      if (m < 2 * p - 1) continue;
      const Timeline v =
          simulate(build_schedule(ScheduleKind::zb_v, p, m, 2), equal_stages(2 * p, equal));
      EXPECT_DOUBLE_EQ(v.step_s, 6.0 * m + (p - 1)) << p << " ranks, " << m;
      EXPECT_NEAR(bubble_fraction(v, p), (p - 1.0) / v.step_s, 1e-12);
    }
  }
}

TEST(Timeline, ForwardOnly) {
  const Schedule schedule = add_transfers(forward_only(3, 5));
  const auto durations = equal_stages(3, {.forward_s = 1.0, .backward_s = 9.0});
  EXPECT_DOUBLE_EQ(simulate(schedule, durations).step_s, 7.0);
}

// Two stages, one micro-batch: nothing overlaps, so the step is the sum of everything.
TEST(Timeline, TransfersBlockWhoWaits) {
  const StageDurations durations{.forward_s = 1.0,
                                 .backward_s = 2.0,
                                 .send_activation_s = 0.25,
                                 .send_gradient_s = 0.5,
                                 .reduce_s = 3.0,
                                 .optimizer_s = 4.0};
  const Timeline timeline =
      simulate(build_schedule(ScheduleKind::one_f_one_b, 2, 1), equal_stages(2, durations));
  EXPECT_DOUBLE_EQ(event(timeline, "0SEND_F0").start_s, 1.0);
  EXPECT_DOUBLE_EQ(event(timeline, "wait 1RECV_F0", 1).end_s, 1.25);
  EXPECT_DOUBLE_EQ(event(timeline, "1F0", 1).start_s, 1.25);
  EXPECT_DOUBLE_EQ(event(timeline, "1SEND_B0", 1).start_s, 4.25);
  EXPECT_DOUBLE_EQ(event(timeline, "0B0").start_s, 4.75);
  EXPECT_DOUBLE_EQ(event(timeline, "reduce").end_s, 9.75);
  EXPECT_DOUBLE_EQ(event(timeline, "reduce", 1).start_s, 4.25);
  // The gradient norm needs every stage: both ranks update when rank 0 has reduced.
  EXPECT_DOUBLE_EQ(event(timeline, "optimizer", 1).start_s, 9.75);
  EXPECT_DOUBLE_EQ(timeline.step_s, 13.75);
  EXPECT_NEAR(bubble_fraction(timeline, 2), 1.0 - 20.0 / 27.5, 1e-12);
}

// A transfer shorter than a compute hides behind it in the steady state: only the ends show.
TEST(Timeline, TransfersHideBehindCompute) {
  const int p = 2, m = 10;
  const StageDurations durations{.forward_s = 1.0, .backward_s = 2.0, .send_activation_s = 0.1};
  const Timeline timeline =
      simulate(build_schedule(ScheduleKind::gpipe, p, m), equal_stages(p, durations));
  EXPECT_NEAR(timeline.step_s, (m + p - 1) * 3.0 + 0.1, 1e-12);
}

// A link slower than the stages sets the pace: m messages of 5 s one after the other.
TEST(Timeline, MessagesShareTheLink) {
  const StageDurations durations{.forward_s = 1.0, .send_activation_s = 5.0};
  const Timeline timeline = simulate(add_transfers(forward_only(2, 4)), equal_stages(2, durations));
  EXPECT_DOUBLE_EQ(timeline.step_s, 1.0 + 4 * 5.0 + 1.0);
}

TEST(Timeline, EventsOfARankDoNotOverlap) {
  const StageDurations durations{.forward_s = 1.0,
                                 .backward_s = 2.0,
                                 .send_activation_s = 0.7,
                                 .send_gradient_s = 1.3,
                                 .reduce_s = 0.1,
                                 .optimizer_s = 0.2};
  const Timeline timeline =
      simulate(build_schedule(ScheduleKind::one_f_one_b, 4, 9), equal_stages(4, durations));
  std::vector<double> end_s(4, 0.0);
  for (const TimelineEvent& e : timeline.events) {
    if (e.name.find("SEND") != std::string::npos) continue;  // beside compute
    EXPECT_GE(e.start_s, end_s[static_cast<size_t>(e.rank)] - 1e-12) << e.name;
    end_s[static_cast<size_t>(e.rank)] = e.end_s;
  }
  EXPECT_LE(*std::max_element(end_s.begin(), end_s.end()), timeline.step_s);
}

TEST(Timeline, StuckScheduleIsABug) {
  Schedule schedule = build_schedule(ScheduleKind::gpipe, 2, 1);
  std::swap(schedule.actions[0][1], schedule.actions[0][2]);  // 0SEND_F0 before 0F0
  EXPECT_THROW(simulate(schedule, equal_stages(2, {})), std::logic_error);
  EXPECT_THROW(simulate(schedule, {}), std::logic_error);
}

// Prepared once, for any durations: stages of different length, transfers that matter.
TEST(ScheduleProgram, IsTheSimulation) {
  for (const ScheduleKind kind :
       {ScheduleKind::gpipe, ScheduleKind::one_f_one_b, ScheduleKind::interleaved,
        ScheduleKind::zb_h1, ScheduleKind::zb_v}) {
    for (const int p : {1, 2, 3, 4}) {
      for (const int m : {p, 2 * p, 4 * p}) {
        const bool has_chunks = kind == ScheduleKind::interleaved || kind == ScheduleKind::zb_v;
        if (has_chunks && p == 1) continue;
        const Schedule schedule = build_schedule(kind, p, m, has_chunks ? 2 : 1);
        const ScheduleProgram program(schedule);
        for (const double unit : {1.0, 0.3}) {
          std::vector<StageDurations> durations;
          for (int stage = 0; stage < schedule.num_stages; ++stage) {
            const double s = unit * (1 + 0.1 * ((stage * 7) % 5));
            durations.push_back({.forward_s = s,
                                 .backward_s = 2.1 * s,
                                 .backward_input_s = s,
                                 .backward_weight_s = 1.1 * s,
                                 .send_activation_s = 0.2,
                                 .send_gradient_s = 0.4,
                                 .reduce_s = 0.1 * stage,
                                 .optimizer_s = 0.3 * s});
          }
          EXPECT_DOUBLE_EQ(program.step_s(durations), simulated_step_s(schedule, durations))
              << static_cast<int>(kind) << ' ' << p << ' ' << m;
        }
      }
    }
  }
}

}  // namespace
}  // namespace argosy
