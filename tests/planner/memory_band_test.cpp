// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// "Fits with 97%": against what torch reserved in published runs, and by hand.
#include "planner/cost/memory_band.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "planner/cost/search.h"
#include "planner/spec/check.h"
#include "tests/planner/small_jobs.h"

namespace argosy {
namespace {

// Reserved over allocated, less 1, of each run.
std::vector<double> published_fragmentation() {
  std::ifstream file(ARGOSY_SOURCE_DIR "/tests/golden/simumax_reserved.csv");
  std::vector<double> shares;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#') || line.starts_with("case,")) continue;
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream cells(line);
    std::string name;
    double allocated = 0, reserved = 0;
    cells >> name >> allocated >> reserved;
    shares.push_back(reserved / allocated - 1);
  }
  return shares;
}

// A device of 100 GB, 1 GB of context, no communicators: one rank.
Job lone_job(SmallModel model = SmallModel::llama) {
  Job job = small_job(model, 1, 8, 100'000'000'000);
  job.cluster.device = Device::cuda;
  job.cluster.accelerator.context_bytes = 1'000'000'000;
  job.cluster.accelerator.reserved_bytes = 6'000'000'000;
  return job;
}

TEST(MemoryBand, ConstantsAreThoseOfTheRuns) {
  const std::vector<double> shares = published_fragmentation();
  ASSERT_EQ(shares.size(), 43u);
  double sum = 0, squares = 0;
  for (double share : shares) sum += share;
  const double mean = sum / 43;
  for (double share : shares) squares += (share - mean) * (share - mean);
  EXPECT_NEAR(mean, kFragmentationMean, 5e-5);
  EXPECT_NEAR(std::sqrt(squares / 43), kFragmentationDeviation, 5e-5);
  EXPECT_NEAR(*std::max_element(shares.begin(), shares.end()), 0.093, 5e-4);
}

// How many of the runs a device of just that size would have held.
TEST(MemoryBand, IsCalibratedToTheRuns) {
  const std::vector<double> shares = published_fragmentation();
  for (double probability : {0.25, 0.5, 0.75, 0.9, 0.98}) {
    Job job = lone_job();
    job.fit_probability = probability;
    const int64_t usable = usable_bytes(job, {}, 0);
    const auto held = std::count_if(shares.begin(), shares.end(), [&](double share) {
      return static_cast<double>(usable) * (1 + share) <= 99e9;
    });
    EXPECT_NEAR(static_cast<double>(held) / 43, probability, 0.16) << probability;
  }
}

// 99 GB are left; T (1 + 0.0484) = 99 GB at T = 94.43 GB, a deviation of 0.0178 T there.
TEST(MemoryBand, ByHand) {
  const Job job = lone_job();
  const auto fits = [&](double gigabytes) {
    return fits_probability(job, {}, {static_cast<int64_t>(gigabytes * 1e9), 0});
  };
  EXPECT_NEAR(fits(99 / 1.0484), 0.5, 1e-6);
  EXPECT_NEAR(fits(99 / (1.0484 + 0.0178)), 0.841345, 1e-5);
  EXPECT_NEAR(fits(99 / (1.0484 - 2 * 0.0178)), 0.02275, 1e-5);
  EXPECT_GT(fits(80), 0.9999);
}

TEST(MemoryBand, UsableIsTheInverse) {
  Job job = lone_job(SmallModel::moe);
  Candidate candidate;
  candidate.mesh.ep = 4;
  for (double probability : {0.05, 0.5, 0.9, 0.999}) {
    for (int64_t routed : {int64_t{0}, int64_t{5'000'000'000}, int64_t{20'000'000'000}}) {
      job.fit_probability = probability;
      const int64_t usable = usable_bytes(job, candidate, routed);
      EXPECT_NEAR(fits_probability(job, candidate, {usable, routed}), probability, 1e-6);
    }
  }
}

// 8 experts over 4 ranks: 0.30 / sqrt(2) of 10 GB. A capacity, or all experts here, bound them.
TEST(MemoryBand, RoutingWidensTheBand) {
  const Job job = lone_job(SmallModel::moe);
  Candidate candidate;
  const TensorBytes tensors = {90'000'000'000, 10'000'000'000};
  const double certain = fits_probability(job, candidate, tensors);
  candidate.mesh.ep = 4;
  candidate.mesh.dp = 4;
  const double left =
      99e9 - static_cast<double>(communicator_bytes(job, candidate.mesh)) - 90e9 * 1.0484;
  const double deviation = std::hypot(90e9 * 0.0178, 10e9 * 0.30 / std::sqrt(2.0));
  EXPECT_NEAR(fits_probability(job, candidate, tensors),
              std::erfc(-left / deviation / std::sqrt(2.0)) / 2, 1e-9);
  candidate.moe_capacity_factor = 1.25;
  EXPECT_GT(fits_probability(job, candidate, tensors), 0.9);
  EXPECT_GT(certain, 0.99);
}

// 16 channels a communicator, 4 MiB + 4.6875 MiB + 0.5 MiB each; tp, dp and the world have one.
TEST(MemoryBand, BuffersOfCommunicators) {
  const Job job = lone_job();
  Mesh mesh;
  EXPECT_EQ(communicator_bytes(job, mesh), 0);
  mesh.tp = mesh.dp = 2;
  EXPECT_EQ(communicator_bytes(job, mesh), 3 * 16 * 9'633'792);
}

// Groups that only some models have: copies of a key/value head, of a tied table, shards of
// experts.
TEST(MemoryBand, CommunicatorsThatFollowTheModel) {
  const int64_t one = 16 * 9'633'792;
  Job job = small_job(SmallModel::llama, 16, 16);  // 4 key/value heads, a head of its own
  Mesh mesh;
  mesh.tp = 4;
  EXPECT_EQ(communicator_bytes(job, mesh), 2 * one);  // tp, world
  mesh.tp = 12;
  EXPECT_EQ(communicator_bytes(job, mesh), 3 * one);
  mesh = {};
  mesh.pp = 2;
  EXPECT_EQ(communicator_bytes(job, mesh), 2 * one);  // pp, world
  job = small_job(SmallModel::tied_gpt2, 16, 16);
  EXPECT_EQ(communicator_bytes(job, mesh), 3 * one);
  job = small_job(SmallModel::moe, 16, 16);
  mesh = {};
  mesh.dp = 8;
  mesh.ep = 2;
  EXPECT_EQ(communicator_bytes(job, mesh), 4 * one);  // dp, ep, edp, world
  mesh.zero_shard = 4;
  EXPECT_EQ(communicator_bytes(job, mesh), 8 * one);  // shards and their copies, of experts too
}

TEST(MemoryBand, WithoutContextBytesThereIsNone) {
  Job job = lone_job();
  job.cluster.accelerator.context_bytes = 0;
  EXPECT_EQ(fits_probability(job, {}, {94'000'000'000, 0}), 1);
  EXPECT_EQ(fits_probability(job, {}, {94'000'000'001, 0}), 0);
  job.fit_probability = 0.99;
  EXPECT_EQ(usable_bytes(job, {}, 0), 94'000'000'000);
}

// A plan that fits by the nominal reserve, but not surely enough, is rejected and named.
TEST(MemoryBand, TheSearchObeysTheProbability) {
  Job job = lone_job();
  job.stack.facts.is_own = false;  // our attention's scratch follows the memory, which changes here
  const SearchResult all = search(job, {}, 1, 1);
  ASSERT_FALSE(all.plans.empty());
  const int64_t peak = all.plans.front().predicted.peak_bytes;
  Accelerator& a = job.cluster.accelerator;
  a.context_bytes = a.reserved_bytes = 1;
  a.memory_bytes = static_cast<int64_t>(static_cast<double>(peak) * (1 + kFragmentationMean));
  const Fixed fixed =
      parse_fixed(concat("micro_batch=", all.plans.front().micro_batch,
                         ",recompute=", to_string(all.plans.front().recompute.front())));
  const SearchResult nominal = search(job, fixed, 1, 1);
  ASSERT_FALSE(nominal.plans.empty());
  EXPECT_NEAR(nominal.plans.front().predicted.fits_probability, 0.5, 1e-3);
  job.fit_probability = 0.9;
  const SearchResult surely = search(job, fixed, 1, 1);
  EXPECT_TRUE(surely.plans.empty());
  ASSERT_FALSE(surely.summary.rejected.empty());
  job.fit_probability = 0.4;
  EXPECT_FALSE(search(job, fixed, 1, 1).plans.empty());
}

}  // namespace
}  // namespace argosy
