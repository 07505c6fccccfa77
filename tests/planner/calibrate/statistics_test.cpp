// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/calibrate/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace argosy {
namespace {

TEST(Statistics, Median) {
  EXPECT_DOUBLE_EQ(median({3}), 3);
  EXPECT_DOUBLE_EQ(median({9, 1, 4}), 4);
  EXPECT_DOUBLE_EQ(median({8, 1, 4, 2}), 3);
}

TEST(Statistics, FewRunsArePulledTowardsNoCorrection) {
  EXPECT_DOUBLE_EQ(shrunken_factor({}), 1);
  // One run weighs 1 / (1 + 0.1^2 / 0.5^2) = 1 / 1.04.
  EXPECT_NEAR(shrunken_factor({1.5}), std::pow(1.5, 1 / 1.04), 1e-12);
  EXPECT_NEAR(shrunken_factor({0.5, 0.5, 0.5}), std::pow(0.5, 3 / 3.04), 1e-12);
  EXPECT_DOUBLE_EQ(shrunken_factor({1, 1}), 1);
  EXPECT_LT(shrunken_factor({1.5}), shrunken_factor({1.5, 1.5}));
  EXPECT_LT(shrunken_factor({1.5, 1.5}), 1.5);
}

TEST(Statistics, OneBadRunAmongMany) {
  const double clean = shrunken_factor({1.2, 1.2, 1.2, 1.2, 1.2});
  const double spoiled = shrunken_factor({1.2, 1.2, 1.2, 1.2, 50});
  EXPECT_NEAR(spoiled / clean, std::exp(0.3 / 5), 0.01);  // kOutlier over five runs, no more
}

}  // namespace
}  // namespace argosy
