// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/optimizer/lr_schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "planner/spec/check.h"

namespace argosy {
namespace {

constexpr double kTolerance = 1e-15;

TEST(LrSchedule, WarmUpIsAStraightLineThatEndsAtLr) {
  for (const auto kind : {LrScheduleKind::constant, LrScheduleKind::linear, LrScheduleKind::cosine,
                          LrScheduleKind::wsd}) {
    const LrSchedule schedule{kind, 8e-4, 1e-4, 4};
    EXPECT_NEAR(learning_rate(schedule, 1, 100), 2e-4, kTolerance);
    EXPECT_NEAR(learning_rate(schedule, 2, 100), 4e-4, kTolerance);
    EXPECT_NEAR(learning_rate(schedule, 3, 100), 6e-4, kTolerance);
    EXPECT_NEAR(learning_rate(schedule, 4, 100), 8e-4, kTolerance);
  }
}

TEST(LrSchedule, ConstantStays) {
  const LrSchedule schedule{LrScheduleKind::constant, 3e-4, 1e-5, 0};
  EXPECT_EQ(learning_rate(schedule, 1, 10), 3e-4);
  EXPECT_EQ(learning_rate(schedule, 10, 10), 3e-4);
}

TEST(LrSchedule, LinearByHand) {
  const LrSchedule schedule{LrScheduleKind::linear, 1.0, 0.2, 2};
  EXPECT_NEAR(learning_rate(schedule, 3, 10), 0.9, kTolerance);   // 1 of 8 steps: 1 - 0.8/8
  EXPECT_NEAR(learning_rate(schedule, 6, 10), 0.6, kTolerance);   // half way
  EXPECT_NEAR(learning_rate(schedule, 10, 10), 0.2, kTolerance);  // the last step has min_lr
  EXPECT_NEAR(learning_rate(schedule, 99, 10), 0.2, kTolerance);
}

TEST(LrSchedule, CosineByHand) {
  const LrSchedule schedule{LrScheduleKind::cosine, 1.0, 0.2, 0};
  EXPECT_NEAR(learning_rate(schedule, 4, 12), 0.8, kTolerance);  // (1 + cos 60 deg)/2 = 3/4
  EXPECT_NEAR(learning_rate(schedule, 6, 12), 0.6, kTolerance);
  EXPECT_NEAR(learning_rate(schedule, 8, 12), 0.4, kTolerance);
  EXPECT_NEAR(learning_rate(schedule, 12, 12), 0.2, kTolerance);
}

TEST(LrSchedule, WsdDecaysOverTheLastFifth) {
  const LrSchedule schedule{LrScheduleKind::wsd, 1.0, 0.0, 10};
  EXPECT_EQ(learning_rate(schedule, 11, 100), 1.0);
  EXPECT_EQ(learning_rate(schedule, 80, 100), 1.0);
  EXPECT_NEAR(learning_rate(schedule, 85, 100), 0.5, kTolerance);  // 1 - sqrt(5/20)
  EXPECT_NEAR(learning_rate(schedule, 100, 100), 0.0, kTolerance);
  // Warm-up that reaches into the last fifth shortens the decay.
  const LrSchedule late{LrScheduleKind::wsd, 1.0, 0.0, 96};
  EXPECT_EQ(learning_rate(late, 96, 100), 1.0);
  EXPECT_NEAR(learning_rate(late, 97, 100), 0.5, kTolerance);  // 1 - sqrt(1/4)
}

TEST(LrSchedule, ShortRuns) {
  EXPECT_NEAR(learning_rate({LrScheduleKind::cosine, 1.0, 0.1, 10}, 5, 5), 0.5, kTolerance);
  EXPECT_NEAR(learning_rate({LrScheduleKind::wsd, 1.0, 0.1, 0}, 1, 1), 0.1, kTolerance);
}

TEST(LrSchedule, Names) {
  for (const auto kind : {LrScheduleKind::constant, LrScheduleKind::linear, LrScheduleKind::cosine,
                          LrScheduleKind::wsd}) {
    EXPECT_EQ(lr_schedule_from_string(to_string(kind), "--lr-schedule"), kind);
  }
  EXPECT_THROW(lr_schedule_from_string("cosin", "--lr-schedule"), ConfigError);
}

TEST(LrSchedule, RefusesNonsense) {
  EXPECT_NO_THROW(validate({LrScheduleKind::cosine, 0.0, 0.0, 0}));
  EXPECT_NO_THROW(validate({LrScheduleKind::cosine, 1.0, 1.0, 1000}));
  EXPECT_THROW(validate({LrScheduleKind::cosine, -1.0, 0.0, 0}), ConfigError);
  EXPECT_THROW(validate({LrScheduleKind::cosine, std::nan(""), 0.0, 0}), ConfigError);
  EXPECT_THROW(validate({LrScheduleKind::cosine, std::numeric_limits<double>::infinity(), 0, 0}),
               ConfigError);
  EXPECT_THROW(validate({LrScheduleKind::cosine, 1.0, 1.1, 0}), ConfigError);
  EXPECT_THROW(validate({LrScheduleKind::cosine, 1.0, -0.1, 0}), ConfigError);
  EXPECT_THROW(validate({LrScheduleKind::cosine, 1.0, 0.0, -1}), ConfigError);
}

}  // namespace
}  // namespace argosy
