// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/measure/fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "planner/spec/philox.h"
#include "trainer/measure/links.h"

namespace argosy {
namespace {

constexpr double kLatency_s = 2e-6, kBytesPerS = 4e9;

// What `kind` takes on links of kLatency_s and kBytesPerS, times factor.
TransferSample timed(CollectiveKind kind, int64_t ranks, int64_t bytes, double factor = 1) {
  TransferSample sample = transfer(kind, ranks, bytes, 1);
  sample.seconds = factor * (sample.steps * kLatency_s + sample.moved_bytes / kBytesPerS);
  return sample;
}

std::vector<TransferSample> gathers(double noise, uint64_t seed) {
  std::vector<TransferSample> samples;
  uint64_t index = 0;
  for (const int64_t ranks : {2, 3, 4, 8}) {
    for (const int64_t bytes : {1 << 10, 1 << 15, 1 << 20, 1 << 24}) {
      const double error = std::exp(noise * standard_normal(seed, 0, index++));
      samples.push_back(timed(CollectiveKind::all_gather, ranks, bytes, error));
    }
  }
  return samples;
}

TEST(Fit, WhatAMessageOfEachKindMoves) {
  const TransferSample gather = transfer(CollectiveKind::all_gather, 4, 400, 1);
  EXPECT_EQ(gather.steps, 3);
  EXPECT_EQ(gather.moved_bytes, 300);
  const TransferSample reduce = transfer(CollectiveKind::all_reduce, 4, 400, 1);
  EXPECT_EQ(reduce.steps, 4);
  EXPECT_EQ(reduce.moved_bytes, 600);
  const TransferSample send = transfer(CollectiveKind::send, 4, 400, 1);
  EXPECT_EQ(send.steps, 1);
  EXPECT_EQ(send.moved_bytes, 400);
}

TEST(Fit, ExactSamplesGiveTheirNumbers) {
  const LinkFit fit = fit_link(gathers(0, 1));
  EXPECT_NEAR(fit.latency_s, kLatency_s, 1e-9 * kLatency_s);
  EXPECT_NEAR(fit.bytes_per_s, kBytesPerS, 1e-9 * kBytesPerS);
  EXPECT_NEAR(fit.residual, 0, 1e-9);
}

TEST(Fit, NoiseAveragesOut) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const LinkFit fit = fit_link(gathers(0.05, seed));
    EXPECT_NEAR(fit.latency_s, kLatency_s, 0.1 * kLatency_s) << seed;
    EXPECT_NEAR(fit.bytes_per_s, kBytesPerS, 0.1 * kBytesPerS) << seed;
    EXPECT_GT(fit.residual, 0.005);
    EXPECT_LT(fit.residual, 0.1);
  }
}

TEST(Fit, OutliersMoveItLittle) {
  std::vector<TransferSample> samples = gathers(0.02, 3);
  samples[3].seconds *= 20;  // somebody else's job
  samples[10].seconds *= 8;
  const LinkFit fit = fit_link(samples);
  EXPECT_NEAR(fit.latency_s, kLatency_s, 0.1 * kLatency_s);
  EXPECT_NEAR(fit.bytes_per_s, kBytesPerS, 0.1 * kBytesPerS);
}

TEST(Fit, NeitherNumberIsNegative) {
  // Bandwidth alone, then latency alone.
  const std::vector<TransferSample> no_latency = {
      transfer(CollectiveKind::all_gather, 2, 2 << 10, 0.9e-6),
      transfer(CollectiveKind::all_gather, 2, 2 << 20, 1.1e-3)};
  EXPECT_GE(fit_link(no_latency).latency_s, 0);
  EXPECT_NEAR(fit_link(no_latency).bytes_per_s, 1e9, 0.2e9);
  const std::vector<TransferSample> no_bytes = {transfer(CollectiveKind::all_gather, 2, 100, 5e-6),
                                                transfer(CollectiveKind::all_gather, 2, 200, 4e-6)};
  const LinkFit fit = fit_link(no_bytes);
  EXPECT_GT(fit.latency_s, 0);
  EXPECT_GT(fit.bytes_per_s, 0);
  EXPECT_TRUE(std::isfinite(fit.bytes_per_s));
}

TEST(Fit, FactorsOfOtherKinds) {
  std::vector<TransferSample> samples = gathers(0, 1);
  const LinkFit fit = fit_link(samples);
  for (const int64_t bytes : {1 << 10, 1 << 20, 1 << 24}) {
    samples.push_back(timed(CollectiveKind::all_reduce, 4, bytes, 1.4));
  }
  samples.push_back(timed(CollectiveKind::all_reduce, 4, 1 << 22, 30));
  samples.push_back(timed(CollectiveKind::all_reduce, 2, 1 << 22, 1.4));
  EXPECT_NEAR(factor_beside(fit, samples, CollectiveKind::all_reduce), 1.4, 1e-6);
  EXPECT_NEAR(factor_beside(fit, samples, CollectiveKind::all_gather), 1, 1e-6);
  EXPECT_EQ(factor_beside(fit, samples, CollectiveKind::all_to_all), 1);
}

TEST(Links, GroupSizes) {
  EXPECT_EQ(group_sizes(2), (std::vector<int64_t>{2}));
  EXPECT_EQ(group_sizes(4), (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(group_sizes(24), (std::vector<int64_t>{2, 3, 4, 8, 16, 24}));
}

}  // namespace
}  // namespace argosy
