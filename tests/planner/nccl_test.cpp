// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// NCCL's algorithms against what nccl-tests measured and NCCL's own tuner logged on nodes of 8 H100
// with 8 adapters of 50 GB/s: the figures that github.com/meta-pytorch/autoparallel publishes in
// nccl_cost_model.py (a54c252), NCCL 2.27.5.
#include "planner/cost/nccl.h"

#include <gtest/gtest.h>

#include "planner/cost/collective.h"

namespace argosy {
namespace {

constexpr double kTolerance = 0.10;
constexpr double kGiga = 1e9, kMicro = 1e-6;
constexpr int64_t kGigabyte = 1'000'000'000;

ClusterSpec h100_nodes(int64_t num_nodes) {
  ClusterSpec cluster;
  cluster.num_devices = 8 * num_nodes;
  cluster.devices_per_node = 8;
  cluster.accelerator.memory_bytes_per_s = 3.35e12;
  cluster.tiers = {{"NVLink", 8, 3.4e-6, 450e9, 0.804},
                   {"InfiniBand NDR", 1'000'000, 14e-6, 50e9, 0.96}};
  cluster.collectives = {CollectiveModel::nccl, GpuGeneration::hopper, 16, 8, true};
  return cluster;
}

void expect_close(double value, double published, const std::string& what) {
  std::printf("%-46s published %8.1f, computed %8.1f, %+5.1f%%\n", what.c_str(), published, value,
              100 * (value / published - 1));
  EXPECT_NEAR(value / published, 1, kTolerance) << what;
}

// GB/s of payload of 1 GB messages.
TEST(Nccl, MeasuredOnOneNode) {
  const ClusterSpec cluster = h100_nodes(1);
  const struct {
    int64_t ranks;
    double gather, reduce;
  } kMeasured[] = {{2, 537, 324}, {4, 434, 236}, {8, 394, 267}};
  for (const auto& row : kMeasured) {
    const GroupPlacement group = place(row.ranks, 1, cluster);
    const auto rate = [&](CollectiveKind kind) {
      return 1 / collective_seconds(kind, kGigabyte, group, cluster);
    };
    const std::string ranks = std::to_string(row.ranks) + " GPUs";
    expect_close(rate(CollectiveKind::all_gather), row.gather, "all-gather, " + ranks);
    expect_close(rate(CollectiveKind::reduce_scatter), row.gather, "reduce-scatter, " + ranks);
    expect_close(rate(CollectiveKind::all_reduce), row.reduce, "all-reduce, " + ranks);
  }
  const GroupPlacement all = place(8, 1, cluster);
  expect_close(1 / collective_seconds(CollectiveKind::all_to_all, kGigabyte, all, cluster),
               1 / (1 / 380.0 + 50e-6), "all-to-all, 8 GPUs");
}

TEST(Nccl, LatencyOnOneNode) {
  const ClusterSpec cluster = h100_nodes(1);
  const struct {
    int64_t ranks;
    double gather_us;
  } kMeasured[] = {{4, 17}, {8, 30}};
  for (const auto& row : kMeasured) {
    expect_close(nccl_cost(CollectiveKind::all_gather, NcclAlgorithm::ring, NcclProtocol::simple,
                           place(row.ranks, 1, cluster), cluster)
                         .latency_s /
                     kMicro,
                 row.gather_us, "us of all-gather, " + std::to_string(row.ranks) + " GPUs");
  }
}

// us and GB/s of an algorithm and protocol; all-reduce over m nodes of 8.
struct Logged {
  int64_t nodes;
  double latency_us, gigabytes_per_s;
};

void expect_logged(CollectiveKind kind, NcclAlgorithm algorithm, NcclProtocol protocol,
                   int64_t per_node, const std::vector<Logged>& rows, const std::string& what) {
  for (const Logged& row : rows) {
    const ClusterSpec cluster = h100_nodes(row.nodes);
    const GroupPlacement group = place(per_node * row.nodes, 8 / per_node, cluster);
    const NcclCost cost = nccl_cost(kind, algorithm, protocol, group, cluster);
    const std::string where = what + ", " + std::to_string(row.nodes) + " nodes";
    expect_close(cost.latency_s / kMicro, row.latency_us, "us of " + where);
    expect_close(cost.bytes_per_s / kGiga, row.gigabytes_per_s, "GB/s of " + where);
  }
}

TEST(Nccl, AllReduceOfWholeNodesAsLogged) {
  const auto kind = CollectiveKind::all_reduce;
  expect_logged(kind, NcclAlgorithm::ring, NcclProtocol::simple, 8,
                {{2, 131.6, 204.8},
                 {4, 282.8, 198.2},
                 {8, 585.2, 195.0},
                 {16, 1190.0, 193.5},
                 {32, 2399.6, 192.8}},
                "ring Simple");
  expect_logged(kind, NcclAlgorithm::ring, NcclProtocol::ll128, 8,
                {{2, 75.2, 156.6}, {8, 282.8, 149.1}, {32, 1113.2, 147.4}}, "ring LL128");
  expect_logged(kind, NcclAlgorithm::ring, NcclProtocol::ll, 8,
                {{2, 40.0, 20.8}, {8, 156.4, 10.4}, {32, 622.0, 10.2}}, "ring LL");
  expect_logged(kind, NcclAlgorithm::tree, NcclProtocol::simple, 8,
                {{2, 92.4, 140.8}, {4, 120.4, 122.4}, {8, 148.4, 122.4}, {32, 204.4, 122.4}},
                "tree Simple");
  expect_logged(kind, NcclAlgorithm::tree, NcclProtocol::ll128, 8,
                {{2, 48.5, 124.8}, {4, 65.5, 98.6}, {32, 116.5, 98.6}}, "tree LL128");
  expect_logged(kind, NcclAlgorithm::tree, NcclProtocol::ll, 8,
                {{2, 25.2, 16.6}, {4, 35.2, 8.7}, {32, 65.2, 8.7}}, "tree LL");
  expect_logged(kind, NcclAlgorithm::nvls_tree, NcclProtocol::simple, 8,
                {{2, 53, 266.7}, {4, 81, 160}, {8, 109, 160}, {16, 137, 160}, {32, 165, 160}},
                "NVLS tree");
}

// Rails: 1, 2 and 4 ranks of a node have as many adapters.
TEST(Nccl, GroupsWithSomeRanksOfANodeAsLogged) {
  const auto gather = CollectiveKind::all_gather, reduce = CollectiveKind::all_reduce;
  const auto ring = NcclAlgorithm::ring;
  expect_logged(gather, ring, NcclProtocol::simple, 1,
                {{2, 22.4, 96.0}, {8, 106.4, 54.9}, {32, 442.4, 49.5}}, "gather, 1 a node");
  expect_logged(gather, ring, NcclProtocol::simple, 2,
                {{2, 29.2, 128.0}, {8, 133.6, 102.4}, {32, 551.2, 97.5}}, "gather, 2 a node");
  expect_logged(gather, ring, NcclProtocol::simple, 4,
                {{2, 42.8, 219.4}, {8, 188.0, 198.2}, {32, 768.8, 193.5}}, "gather, 4 a node");
  expect_logged(gather, ring, NcclProtocol::ll128, 2,
                {{2, 21.8, 117.8}, {8, 57.2, 94.2}, {32, 198.8, 89.7}}, "gather LL128, 2 a node");
  expect_logged(reduce, NcclAlgorithm::tree, NcclProtocol::simple, 4,
                {{2, 60.4, 140.8}, {4, 88.4, 75.1}, {32, 172.4, 75.1}}, "tree, 4 a node");
  expect_logged(reduce, NcclAlgorithm::tree, NcclProtocol::simple, 1,
                {{4, 64.4, 18.8}, {32, 148.4, 18.8}}, "tree, 1 a node");
  expect_logged(reduce, NcclAlgorithm::nvls_tree, NcclProtocol::simple, 4,
                {{2, 53, 160}, {4, 81, 80}, {32, 165, 80}}, "NVLS tree, 4 a node");
}

// S (n-8)/n over an adapter at 1 - 0.44/nodes of its rate, and the latency of nodes.
TEST(Nccl, AllToAllBetweenNodes) {
  for (const auto& [nodes, latency_us] : {std::pair(2, 37.0), {4, 42.0}, {8, 60.0}, {32, 290.0}}) {
    const ClusterSpec cluster = h100_nodes(nodes);
    const double n = 8.0 * nodes, bytes = 64e9;  // no ramp
    const double expected_s =
        latency_us * kMicro + bytes * (n - 8) / n / (0.96 * 50e9 * (1 - 0.44 / nodes));
    const GroupPlacement group = place(8 * nodes, 1, cluster);
    EXPECT_NEAR(
        collective_seconds(CollectiveKind::all_to_all, static_cast<int64_t>(bytes), group, cluster),
        expected_s, 1e-9)
        << nodes;
  }
}

// Trees win where latency counts, rings where bandwidth does; the switch's adders within a node.
TEST(Nccl, TheFastestPairIsTaken) {
  const ClusterSpec cluster = h100_nodes(16);
  const GroupPlacement strided = place(16, 8, cluster);
  const auto reduce = CollectiveKind::all_reduce;
  const NcclCost ll_tree =
      nccl_cost(reduce, NcclAlgorithm::tree, NcclProtocol::ll, strided, cluster);
  EXPECT_NEAR(nccl_seconds(reduce, 8, strided, cluster), ll_tree.latency_s, 1e-8);
  const NcclCost ring =
      nccl_cost(reduce, NcclAlgorithm::ring, NcclProtocol::simple, strided, cluster);
  EXPECT_NEAR(nccl_seconds(reduce, 8 * kGigabyte, strided, cluster), 8e9 / ring.bytes_per_s,
              0.02 * 8e9 / ring.bytes_per_s);
  ClusterSpec without = cluster;
  without.collectives.has_nvls = false;
  const GroupPlacement node = place(8, 1, cluster);
  EXPECT_LT(nccl_seconds(reduce, kGigabyte, node, cluster),
            0.8 * nccl_seconds(reduce, kGigabyte, node, without));
  EXPECT_EQ(
      nccl_cost(reduce, NcclAlgorithm::nvls, NcclProtocol::simple, strided, cluster).bytes_per_s,
      0);
}

// Galvatron's profiles have 155.7 GB/s for 8 neighbours and 20.8 for 8 ranks of as many nodes.
TEST(Nccl, StridedGroupsAreSeveralTimesSlower) {
  const ClusterSpec cluster = h100_nodes(8);
  const auto seconds = [&](int64_t stride) {
    return nccl_seconds(CollectiveKind::all_gather, kGigabyte, place(8, stride, cluster), cluster);
  };
  EXPECT_GT(seconds(8), 5 * seconds(1));
}

TEST(Nccl, MoreBytesNeverTakeLess) {
  const ClusterSpec cluster = h100_nodes(64);
  for (const GroupPlacement& group :
       {place(2, 1, cluster), place(8, 1, cluster), place(16, 1, cluster), place(512, 1, cluster),
        place(64, 8, cluster), place(128, 4, cluster)}) {
    for (CollectiveKind kind : {CollectiveKind::all_reduce, CollectiveKind::all_gather,
                                CollectiveKind::all_to_all, CollectiveKind::broadcast}) {
      double before_s = 0;
      for (double bytes = 1; bytes < 1e11; bytes *= 1.3) {
        const double seconds = nccl_seconds(kind, static_cast<int64_t>(bytes) + 1, group, cluster);
        EXPECT_GE(seconds, before_s * (1 - 1e-9))
            << to_string(kind) << " " << bytes << " " << group.size;
        before_s = seconds;
      }
    }
  }
}

}  // namespace
}  // namespace argosy
