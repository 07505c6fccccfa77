// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run/router_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace argosy {
namespace {

TEST(RouterMetrics, EvenAndCollapsedLayers) {
  // Layer 0: even. Layer 1: all tokens at expert 2, a quarter of them beyond its capacity.
  const RouterMetrics metrics = router_metrics({5, 5, 5, 5, 0, 0, 20, 0}, {0, 5}, 4);
  EXPECT_EQ(metrics.load_max_over_mean, (std::vector<double>{1, 4}));
  EXPECT_DOUBLE_EQ(metrics.load_entropy[0], 1.0);
  EXPECT_EQ(metrics.load_entropy[1], 0.0);
  EXPECT_EQ(metrics.dropped_share, (std::vector<double>{0, 0.25}));
  EXPECT_EQ(metrics.dead_experts, (std::vector<int64_t>{0, 3}));
  EXPECT_EQ(mean(metrics.load_max_over_mean), 2.5);
}

TEST(RouterMetrics, EntropyCountsHowManyExpertsWork) {
  const RouterMetrics half = router_metrics({7, 7, 0, 0}, {0}, 4);
  EXPECT_DOUBLE_EQ(half.load_entropy[0], std::log(2.0) / std::log(4.0));
}

TEST(RouterMetrics, NoMixtureLayersNoEntries) {
  EXPECT_TRUE(router_metrics({}, {}, 0).empty());
  EXPECT_EQ(mean({}), 0.0);
  EXPECT_EQ(router_metrics({0, 0}, {0}, 2).load_max_over_mean[0], 1.0);  // no token, no division
}

}  // namespace
}  // namespace argosy
