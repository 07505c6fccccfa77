// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/reliability.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace argosy {
namespace {

// 100 devices that fail once in 10,000 hours: every 100 h = 360,000 s one of them. Stall 2 s:
// Young's T = sqrt(2 * 2 * 360000) = 1200 s; lost about 2/1200 + (600 + 300)/360000.
TEST(Reliability, NearYoungWhereFailuresAreRare) {
  ClusterSpec cluster;
  cluster.num_devices = 100;
  cluster.devices_per_node = 8;
  cluster.device_mtbf_hours = 10000;
  cluster.checkpoint_s = 2;
  cluster.restart_s = 300;
  const Reliability r = reliability(cluster, 0);
  EXPECT_DOUBLE_EQ(r.mtbf_s, 360000);
  EXPECT_NEAR(r.checkpoint_interval_s, 1200, 2);
  EXPECT_NEAR(r.goodput, 1 - 2.0 / 1200 - 900.0 / 360000, 2e-5);
  EXPECT_NEAR(r.failures_per_day, 0.24, 1e-12);
  cluster.device_mtbf_hours = 0;
  EXPECT_EQ(reliability(cluster, 0).goodput, 1);
  EXPECT_EQ(reliability(cluster, 0).checkpoint_interval_s, 0);
}

// No other interval is better by more than Daly's series leaves out.
TEST(Reliability, TheIntervalIsTheBest) {
  for (double checkpoint_s : {1.0, 30.0, 300.0}) {
    for (double mtbf_s : {3600.0, 36000.0, 1e6}) {
      const double best_s = optimal_interval_s(checkpoint_s, mtbf_s);
      const double best = expected_goodput(best_s, checkpoint_s, 60, mtbf_s);
      for (double factor : {0.5, 0.7, 0.9, 1.1, 1.4, 2.0}) {
        EXPECT_LE(expected_goodput(factor * best_s, checkpoint_s, 60, mtbf_s), best + 1e-4)
            << checkpoint_s << " " << mtbf_s << " " << factor;
      }
    }
  }
  EXPECT_EQ(optimal_interval_s(500, 200), 200);
}

// A simulation of the same process: failures at any time, also while writing and restarting.
TEST(Reliability, GoodputAsSimulated) {
  constexpr double kCheckpoint = 60, kRestart = 300, kMtbf = 5000;
  const double interval = optimal_interval_s(kCheckpoint, kMtbf);
  std::mt19937_64 random(1);
  std::exponential_distribution<double> failure(1 / kMtbf);
  double wall_s = 0, next_s = failure(random);
  constexpr int kSegments = 20000;
  for (int segment = 0; segment < kSegments; ++segment) {
    double rest_s = interval + kCheckpoint;
    while (wall_s + rest_s > next_s) {  // a failure: all of the segment again, after a restart
      wall_s = next_s;
      next_s += failure(random);
      rest_s = kRestart + interval + kCheckpoint;
    }
    wall_s += rest_s;
  }
  EXPECT_NEAR(kSegments * interval / wall_s,
              expected_goodput(interval, kCheckpoint, kRestart, kMtbf), 0.005);
}

// 1,000 nodes of which each fails every 1,000 days and is away for three: 3 are missing in the
// mean; 8 suffice in 99.6% of the time, 7 in 98.8%.
TEST(Reliability, SpareNodes) {
  ClusterSpec cluster;
  cluster.num_devices = 8000;
  cluster.devices_per_node = 8;
  cluster.device_mtbf_hours = 24000 * 8;
  cluster.node_repair_hours = 72;
  EXPECT_EQ(reliability(cluster, 0).spare_nodes, 8);
  cluster.node_repair_hours = 0;
  EXPECT_EQ(reliability(cluster, 0).spare_nodes, 0);
}

// 1.4 TB: 10 s at 140 GB/s. Steps wait for it; or 100 devices copy 14 GB each in 1.4 s and go on.
TEST(Reliability, AStallIsBytesOverBandwidth) {
  ClusterSpec cluster;
  cluster.num_devices = 100;
  cluster.devices_per_node = 8;
  cluster.checkpoint_s = 2;
  cluster.restart_s = 300;
  cluster.device_mtbf_hours = 10000;  // 360,000 s between failures
  cluster.storage_bytes_per_s = 140e9;
  const CheckpointCost waits = checkpoint_cost(cluster, 1.4e12);
  EXPECT_DOUBLE_EQ(waits.stall_s, 12);
  EXPECT_DOUBLE_EQ(waits.restart_s, 310);
  EXPECT_NEAR(reliability(cluster, 1.4e12).checkpoint_interval_s, std::sqrt(2 * 12 * 360e3), 10);
  cluster.snapshot_bytes_per_s = 10e9;
  const CheckpointCost copies = checkpoint_cost(cluster, 1.4e12);
  EXPECT_DOUBLE_EQ(copies.stall_s, 3.4);
  EXPECT_DOUBLE_EQ(copies.write_s, 10);
  EXPECT_GT(reliability(cluster, 1.4e12).goodput, 0.99);
}

// Storage that needs 5,000 s for what could be copied every 849 s: no sooner than that.
TEST(Reliability, OneCheckpointAtATime) {
  ClusterSpec cluster;
  cluster.num_devices = 100;
  cluster.devices_per_node = 8;
  cluster.device_mtbf_hours = 10000;
  cluster.storage_bytes_per_s = 1e9;
  cluster.snapshot_bytes_per_s = 50e9;
  const Reliability r = reliability(cluster, 5e12);
  EXPECT_DOUBLE_EQ(r.checkpoint.stall_s, 1);
  EXPECT_NEAR(r.checkpoint_interval_s, 5000 - 1, 1e-9);
}

}  // namespace
}  // namespace argosy
