// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/collective.h"

#include <gtest/gtest.h>

#include <cmath>

#include "planner/cost/plain_collective.h"

namespace argosy {
namespace {

// 8 devices a node at 100 GB/s, nodes at 10 GB/s a device.
ClusterSpec two_tiers(int64_t num_devices, double inner_latency_s = 0, double outer_latency_s = 0) {
  ClusterSpec cluster;
  cluster.num_devices = num_devices;
  cluster.devices_per_node = 8;
  cluster.tiers = {{"inner", 8, inner_latency_s, 100e9, 1.0},
                   {"outer", num_devices, outer_latency_s, 10e9, 1.0}};
  return cluster;
}

using Branches = std::vector<int64_t>;

TEST(Placement, StrideDecidesTheNodes) {
  const ClusterSpec cluster = two_tiers(64);
  EXPECT_EQ(place(8, 1, cluster).branches, (Branches{8, 1}));
  EXPECT_EQ(place(4, 2, cluster).branches, (Branches{4, 1}));
  EXPECT_EQ(place(8, 8, cluster).branches, (Branches{1, 8}));
  EXPECT_EQ(place(16, 1, cluster).branches, (Branches{8, 2}));
  EXPECT_EQ(place(16, 4, cluster).branches, (Branches{2, 8}));
}

// Groups of 6 neighbours: ranks 6..11 lie on two nodes, and the slowest group counts.
TEST(Placement, AGroupThatStraddlesNodesCounts) {
  EXPECT_EQ(place(6, 1, two_tiers(48)).branches, (Branches{3, 2}));
}

TEST(Placement, OfMeshAxes) {
  const ClusterSpec cluster = two_tiers(64);
  Mesh mesh;
  mesh.tp = 4;
  mesh.dp = 8;
  mesh.pp = 2;
  mesh.ep = 8;
  EXPECT_EQ(place(mesh, Axis::tp, 8, cluster).branches, (Branches{4, 1}));
  EXPECT_EQ(place(mesh, Axis::dp_cp, 8, cluster).branches, (Branches{2, 4}));
  EXPECT_EQ(place(mesh, Axis::ep, 8, cluster).branches, (Branches{8, 1}));
  EXPECT_EQ(place(mesh, Axis::edp, 8, cluster).branches, (Branches{1, 4}));
  EXPECT_EQ(place(mesh, Axis::pp, 8, cluster).branches, (Branches{1, 2}));
  EXPECT_EQ(place(mesh, Axis::kv_replica, 2, cluster).size, 2);
}

// 4 ranks of one node: a ring all-reduce of 4 GB moves 2 * 3/4 * 4 GB through 100 GB/s.
TEST(Collective, RingInANode) {
  const ClusterSpec cluster = two_tiers(8, 1e-6);
  const GroupPlacement group = place(4, 1, cluster);
  const double seconds = [&](CollectiveKind kind) {
    return collective_seconds(kind, 4'000'000'000, group, cluster);
  }(CollectiveKind::all_reduce);
  EXPECT_NEAR(seconds, 0.06 + 6e-6, 1e-9);
  EXPECT_NEAR(collective_seconds(CollectiveKind::all_gather, 4'000'000'000, group, cluster),
              0.03 + 3e-6, 1e-9);
  EXPECT_NEAR(collective_seconds(CollectiveKind::reduce_scatter, 4'000'000'000, group, cluster),
              0.03 + 3e-6, 1e-9);
}

// 8 nodes, one rank on each: one adapter a rank. 8 whole nodes: eight rings side by side, 80 GB/s
// between nodes, below the 100 GB/s inside.
TEST(Collective, AdaptersOfANodeWorkSideBySide) {
  const ClusterSpec cluster = two_tiers(64);
  const int64_t bytes = 8'000'000'000;
  const double one =
      collective_seconds(CollectiveKind::all_gather, bytes, place(8, 8, cluster), cluster);
  EXPECT_NEAR(one, 7.0 / 8 * 0.8, 1e-9);
  const double all =
      collective_seconds(CollectiveKind::all_gather, bytes, place(64, 1, cluster), cluster);
  EXPECT_NEAR(all, 63.0 / 64 * 0.1, 1e-9);
}

// Small messages between many nodes: 2 * 127 steps of a ring, or 2 * log2(128) of a tree.
TEST(Collective, TreesBeatRingsWhereLatencyCounts) {
  const ClusterSpec cluster = two_tiers(1024, 0, 10e-6);
  const double seconds =
      collective_seconds(CollectiveKind::all_reduce, 8, place(128, 8, cluster), cluster);
  EXPECT_NEAR(seconds, 2 * 7 * 10e-6, 1e-8);
}

// 16 ranks on 2 nodes: half of what a rank sends leaves its node, 1/2 S at 10 GB/s.
TEST(Collective, AllToAllCrossesTheNodeWithItsShare) {
  const ClusterSpec cluster = two_tiers(16);
  EXPECT_NEAR(
      collective_seconds(CollectiveKind::all_to_all, 1'000'000'000, place(16, 1, cluster), cluster),
      0.05, 1e-9);
  // In a node: 7/8 S at 100 GB/s.
  EXPECT_NEAR(
      collective_seconds(CollectiveKind::all_to_all, 1'000'000'000, place(8, 1, cluster), cluster),
      0.00875, 1e-9);
}

// 1 GB in 8 copies of each token on 2 nodes: of 4 copies for the other node one crosses, 1/8 GB by
// 10 GB/s; all copies go on by the node's links, 7/8 GB by 100 GB/s.
TEST(Collective, CopiesCrossToANodeOnce) {
  const ClusterSpec cluster = two_tiers(16);
  const GroupPlacement group = place(16, 1, cluster);
  EXPECT_NEAR(all_to_all_once_seconds(1'000'000'000, 8, 2, group, cluster), 0.0125, 1e-9);
  EXPECT_NEAR(all_to_all_once_seconds(1'000'000'000, 8, 1, group, cluster), 0.00875, 1e-9);
  // As many crossings as copies: the plain all_to_all.
  EXPECT_NEAR(all_to_all_once_seconds(1'000'000'000, 8, 8, group, cluster),
              collective_seconds(CollectiveKind::all_to_all, 1'000'000'000, group, cluster), 1e-9);
}

TEST(Collective, NeighbourTransfers) {
  const ClusterSpec cluster = two_tiers(64, 1e-6, 5e-6);
  EXPECT_NEAR(
      collective_seconds(CollectiveKind::send, 1'000'000'000, place(4, 16, cluster), cluster),
      0.1 + 5e-6, 1e-9);
  EXPECT_NEAR(
      collective_seconds(CollectiveKind::send, 1'000'000'000, place(4, 2, cluster), cluster),
      0.01 + 1e-6, 1e-9);
}

TEST(Collective, GroupsOfOneAreFree) {
  const ClusterSpec cluster = two_tiers(64, 1, 1);
  EXPECT_EQ(collective_seconds(CollectiveKind::all_reduce, 1 << 20, place(1, 1, cluster), cluster),
            0);
}

TEST(Collective, MoreBytesNeverTakeLess) {
  const ClusterSpec cluster = two_tiers(512, 2e-6, 8e-6);
  for (const GroupPlacement& group :
       {place(8, 1, cluster), place(64, 8, cluster), place(128, 4, cluster)}) {
    for (CollectiveKind kind :
         {CollectiveKind::all_reduce, CollectiveKind::all_gather, CollectiveKind::reduce_scatter,
          CollectiveKind::all_to_all, CollectiveKind::broadcast, CollectiveKind::send}) {
      double before_s = 0;
      for (int64_t bytes = 1; bytes < int64_t{1} << 34; bytes *= 4) {
        const double seconds = collective_seconds(kind, bytes, group, cluster);
        EXPECT_GE(seconds, before_s) << to_string(kind) << " " << bytes;
        before_s = seconds;
      }
    }
  }
}

}  // namespace
}  // namespace argosy
