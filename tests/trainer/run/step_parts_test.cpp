// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run/step_parts.h"

#include <gtest/gtest.h>

namespace argosy {
namespace {

StepParts sample() {
  StepParts parts = {
      .compute_s = 0.5, .bubble_s = 0.2, .optimizer_s = 0.04, .data_s = 0.01, .other_s = 0.05};
  parts.exposed_comm_s[static_cast<size_t>(Axis::tp)] = 0.15;
  parts.exposed_comm_s[static_cast<size_t>(Axis::dp_cp)] = 0.05;
  return parts;
}

TEST(StepParts, SumToTheStepAndAreNamed) {
  EXPECT_DOUBLE_EQ(exposed_comm_s(sample()), 0.2);
  EXPECT_DOUBLE_EQ(total_s(sample()), 1.0);
  double total = 0;
  for (const auto& [name, seconds] : named_parts(sample())) total += seconds;
  EXPECT_DOUBLE_EQ(total, 1.0);
  EXPECT_EQ(named_parts(sample()).size(), 7U) << "axes without communication have no part";
  EXPECT_EQ(describe(sample()),
            "compute 50%, bubble 20%, comm tp 15% dp_cp 5%, optimizer 4%, data 1%, other 5%");
}

TEST(StepParts, MeanLeavesTheFirstStepOut) {
  MeanParts mean;
  mean.add(scaled(sample(), 100));
  EXPECT_DOUBLE_EQ(total_s(mean.value()), 100);
  mean.add(sample());
  mean.add(scaled(sample(), 3));
  EXPECT_DOUBLE_EQ(total_s(mean.value()), 2);
  EXPECT_EQ(mean.num_steps(), 3);
}

}  // namespace
}  // namespace argosy
