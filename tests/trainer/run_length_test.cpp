// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run_length.h"

#include <gtest/gtest.h>

#include "planner/spec/check.h"

namespace argosy {
namespace {

TrainOptions resolved(double epochs, double warmup_ratio, int64_t num_samples,
                      int64_t global_batch) {
  TrainOptions options;
  options.epochs = epochs;
  options.warmup_ratio = warmup_ratio;
  if (epochs == 0) options.steps = 100;
  resolve_run_length(num_samples, global_batch, &options);
  return options;
}

TEST(RunLength, AStepIsBegunBeforeTheLastPassIsThrough) {
  EXPECT_EQ(resolved(1, 0, 32, 8).steps, 4);
  EXPECT_EQ(resolved(1, 0, 33, 8).steps, 5);
  EXPECT_EQ(resolved(3, 0, 33, 8).steps, 13);  // 99 samples: passes follow each other
  EXPECT_EQ(resolved(0.5, 0, 32, 8).steps, 2);
  EXPECT_EQ(resolved(0.001, 0, 32, 8).steps, 1);
  EXPECT_EQ(resolved(0.1, 0, 240, 8).steps, 3);  // 0.1 * 240 is a little more than 24
}

TEST(RunLength, WarmUpIsAPartOfAllSteps) {
  EXPECT_EQ(resolved(0, 0.03, 32, 8).lr.warmup_steps, 3);
  EXPECT_EQ(resolved(0, 0.025, 32, 8).lr.warmup_steps, 3);
  EXPECT_EQ(resolved(3, 0.1, 80, 8).lr.warmup_steps, 3);
  EXPECT_EQ(resolved(0, 0, 32, 8).lr.warmup_steps, 0);
}

TEST(RunLength, SaysWhatTheDataMadeOfIt) {
  EXPECT_EQ(describe_run_length(1234, 8, resolved(3, 0.1, 1234, 8)),
            "epochs   3 of 1,234 samples: 463 steps of 8, 47 of them warm-up");
  EXPECT_EQ(describe_run_length(1234, 8, resolved(0, 0.1, 1234, 8)), "");
}

TEST(RunLength, RefusesWhatNoRunCanBe) {
  EXPECT_THROW(resolved(1e300, 0, 1000, 8), ConfigError);
}

}  // namespace
}  // namespace argosy
