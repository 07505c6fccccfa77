// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where groups sit, against an enumeration of every rank; islands and the order of ranks.
#include "planner/cost/placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "planner/cost/collective.h"
#include "planner/cost/evaluate.h"
#include "planner/cost/search.h"
#include "tests/planner/small_jobs.h"

namespace argosy {
namespace {

ClusterSpec three_tiers(int64_t num_devices, int64_t node, int64_t island) {
  ClusterSpec cluster;
  cluster.num_devices = num_devices;
  cluster.devices_per_node = node;
  cluster.tiers = {{"node", node, 1e-6, 100e9, 1.0},
                   {"hall", island, 5e-6, 10e9, 1.0},
                   {"halls", num_devices, 100e-6, 1e9, 1.0}};
  return cluster;
}

// Domains of `devices` devices that the widest-spread group of the axis touches.
int64_t most_domains_by_hand(const Mesh& mesh, Axis axis, int64_t devices) {
  size_t most = 1;
  for (int64_t rank = 0; rank < mesh.world_size(); ++rank) {
    std::set<int64_t> domains;
    for (int64_t member : group_members(mesh, axis, rank)) {
      domains.insert(device_of_rank(mesh, member) / devices);
    }
    most = std::max(most, domains.size());
  }
  return static_cast<int64_t>(most);
}

int64_t domains_of(const GroupPlacement& placement, size_t tier) {
  int64_t domains = 1;
  for (size_t i = tier + 1; i < placement.branches.size(); ++i) domains *= placement.branches[i];
  return domains;
}

Mesh mesh_of(int64_t tp, int64_t cp, int64_t dp, int64_t pp, int64_t ep, int64_t zero_shard) {
  Mesh mesh;
  mesh.tp = tp;
  mesh.cp = cp;
  mesh.dp = dp;
  mesh.pp = pp;
  mesh.ep = ep;
  mesh.zero_shard = zero_shard;
  return mesh;
}

TEST(Placement, BothOrdersAsEnumerated) {
  const std::vector<Mesh> meshes = {mesh_of(2, 1, 8, 4, 1, 0),  mesh_of(4, 2, 4, 2, 8, 0),
                                    mesh_of(1, 4, 4, 4, 2, 8),  mesh_of(8, 1, 2, 4, 1, 0),
                                    mesh_of(2, 2, 16, 1, 4, 4), mesh_of(1, 1, 8, 8, 4, 2)};
  for (Mesh mesh : meshes) {
    for (RankOrder order : {RankOrder::tp_cp_dp_pp, RankOrder::tp_cp_pp_dp}) {
      mesh.order = order;
      validate(mesh);
      const ClusterSpec cluster = three_tiers(mesh.world_size(), 8, 32);
      for (Axis axis : {Axis::tp, Axis::cp, Axis::dp, Axis::dp_cp, Axis::pp, Axis::ep, Axis::edp,
                        Axis::zero_shard, Axis::zero_replica, Axis::world}) {
        if (mesh.zero_shard == 0 && (axis == Axis::zero_shard || axis == Axis::zero_replica)) {
          continue;
        }
        const GroupPlacement placement = place(mesh, axis, 0, cluster);
        EXPECT_EQ(placement.size, degree(mesh, axis));
        for (size_t tier = 0; tier + 1 < cluster.tiers.size(); ++tier) {
          EXPECT_EQ(domains_of(placement, tier),
                    most_domains_by_hand(mesh, axis, cluster.tiers[tier].devices))
              << to_string(mesh) << " " << to_string(order) << " " << to_string(axis) << " tier "
              << tier;
        }
      }
    }
  }
}

// Where nothing divides, a group is never placed nearer than it is.
TEST(Placement, RaggedNodesAreNeverUnderestimated) {
  for (Mesh mesh :
       {mesh_of(2, 1, 6, 5, 1, 0), mesh_of(3, 1, 4, 7, 1, 0), mesh_of(1, 3, 5, 4, 1, 0)}) {
    mesh.order = RankOrder::tp_cp_pp_dp;
    const ClusterSpec cluster = three_tiers(mesh.world_size(), 8, 24);
    for (Axis axis : {Axis::tp, Axis::cp, Axis::dp_cp, Axis::pp}) {
      const GroupPlacement placement = place(mesh, axis, 0, cluster);
      for (size_t tier : {size_t{0}, size_t{1}}) {
        EXPECT_GE(domains_of(placement, tier),
                  most_domains_by_hand(mesh, axis, cluster.tiers[tier].devices))
            << to_string(mesh) << " " << to_string(axis);
      }
    }
  }
}

TEST(Placement, EveryRankHasADeviceOfItsOwn) {
  Mesh mesh = mesh_of(2, 3, 4, 5, 1, 0);
  mesh.order = RankOrder::tp_cp_pp_dp;
  std::set<int64_t> devices;
  for (int64_t rank = 0; rank < mesh.world_size(); ++rank) {
    devices.insert(device_of_rank(mesh, rank));
  }
  EXPECT_EQ(devices.size(), static_cast<size_t>(mesh.world_size()));
  EXPECT_EQ(*devices.rbegin(), mesh.world_size() - 1);
  EXPECT_EQ(device_of_rank(mesh, mesh.stage_size()), 6);  // the next stage is the next block
}

TEST(Placement, TierBetweenStages) {
  for (const RankOrder order : {RankOrder::tp_cp_dp_pp, RankOrder::tp_cp_pp_dp}) {
    for (Mesh mesh : {mesh_of(2, 1, 8, 4, 1, 0), mesh_of(2, 1, 4, 8, 1, 0),
                      mesh_of(8, 1, 1, 8, 1, 0), mesh_of(1, 1, 2, 32, 1, 0)}) {
      mesh.order = order;
      const ClusterSpec cluster = three_tiers(mesh.world_size(), 8, 16);
      for (int64_t p = 0; p < mesh.pp; ++p) {
        for (int64_t q : {p + 1, int64_t{0}}) {
          if (q == p || q >= mesh.pp) continue;
          int widest = 0;
          for (int64_t i = 0; i < mesh.stage_size(); ++i) {
            const int64_t a = device_of_rank(mesh, p * mesh.stage_size() + i);
            const int64_t b = device_of_rank(mesh, q * mesh.stage_size() + i);
            for (int tier = 0; tier < 2; ++tier) {
              const int64_t devices = cluster.tiers[static_cast<size_t>(tier)].devices;
              if (a / devices != b / devices) widest = std::max(widest, tier + 1);
            }
          }
          EXPECT_EQ(tier_between(mesh, p, q, cluster), widest)
              << to_string(mesh) << " " << to_string(order) << " " << p << " " << q;
        }
      }
    }
  }
}

// Two halls of 32 at a tenth of the bandwidth: a message that only the last of two stages sends
// has the uplinks of both, 2 GB/s; within a hall 10 GB/s.
TEST(Islands, SendsShareTheUplinks) {
  const ClusterSpec cluster = three_tiers(64, 8, 32);
  const Mesh mesh = mesh_of(4, 1, 4, 4, 1, 0);
  const GroupPlacement pipeline = place(mesh, Axis::pp, 0, cluster);
  EXPECT_NEAR(pipeline_send_seconds(1'000'000'000, mesh, 0, 1, pipeline, cluster), 0.1 + 5e-6,
              1e-9);
  EXPECT_NEAR(pipeline_send_seconds(1'000'000'000, mesh, 1, 2, pipeline, cluster), 0.5 + 100e-6,
              1e-9);
  EXPECT_EQ(pipeline_send_seconds(1'000'000'000, mesh, 1, 1, pipeline, cluster), 0);
}

TEST(Islands, OversubscriptionDividesTheRate) {
  ClusterSpec cluster = three_tiers(64, 8, 32);
  const GroupPlacement across = place(2, 32, cluster);
  const double before_s =
      collective_seconds(CollectiveKind::all_gather, 1'000'000'000, across, cluster);
  cluster.tiers[2].oversubscription = 4;
  EXPECT_NEAR(collective_seconds(CollectiveKind::all_gather, 1'000'000'000, across, cluster),
              4 * (before_s - 100e-6) + 100e-6, 1e-9);
}

// A job on two islands with thin links between them.
Job island_job(double between_bytes_per_s) {
  Job job = small_job(SmallModel::llama, 16, 64);
  job.cluster.tiers = {{"node", 4, 2e-6, 10e9, 0.8},
                       {"hall", 8, 5e-6, 2e9, 0.9},
                       {"halls", 4096, 50e-6, between_bytes_per_s, 0.9}};
  return job;
}

double best_step_s(const Job& job, const char* fix) {
  const SearchResult found = search(job, parse_fixed(fix), 1, 1);
  return found.plans.empty() ? 0 : found.plans.front().predicted.step_s;
}

// Across thin links messages between two stages cost less than sums of all gradients, and with
// links as wide as inside it is the other way round or the same.
TEST(Islands, ThePlannerKeepsCopiesInAnIsland) {
  const Job thin = island_job(0.02e9);
  const double near_s = best_step_s(thin, "tp=1,pp=2,dp=8,order=tp-cp-dp-pp");
  const double far_s = best_step_s(thin, "tp=1,pp=2,dp=8,order=tp-cp-pp-dp");
  EXPECT_LT(near_s, far_s);
  const SearchResult found = search(thin, parse_fixed("tp=1,pp=2,dp=8"), 1, 1);
  ASSERT_FALSE(found.plans.empty());
  EXPECT_EQ(found.plans.front().mesh.order, RankOrder::tp_cp_dp_pp);
  EXPECT_DOUBLE_EQ(found.plans.front().predicted.step_s, near_s);
  // Data parallelism alone crosses the thin links with all gradients: a pipeline is chosen.
  EXPECT_GT(best_step_s(thin, "tp=1,pp=1"), best_step_s(thin, "tp=1,pp=2"));
}

// Long sequences and few weights: whole pipelines in a node, few bytes of gradients far away.
TEST(Islands, ThePlannerKeepsPipelinesTogetherWhereTheyTalkMore) {
  Job job = island_job(0.2e9);
  job.seq_len = 256;
  job.global_batch = 256;
  const SearchResult found = search(job, parse_fixed("tp=1,pp=4,dp=4"), 1, 1);
  ASSERT_FALSE(found.plans.empty());
  EXPECT_EQ(found.plans.front().mesh.order, RankOrder::tp_cp_pp_dp);
  EXPECT_LT(found.plans.front().predicted.step_s,
            best_step_s(job, "tp=1,pp=4,dp=4,order=tp-cp-dp-pp"));
}

// LLaMA-65B on the example of two data centres: either the pipelines pass from one to the other, or
// every sum of gradients does.
TEST(Islands, ExampleOfTwoDataCentres) {
  const std::string configs = ARGOSY_SOURCE_DIR "/configs/";
  Job job;
  job.model = read_model(configs + "models/llama-65b.json").model;
  job.cluster = read_cluster(configs + "clusters/h100-2x4096.json").cluster;
  ASSERT_EQ(job.cluster.tiers.size(), 3u);
  job.seq_len = 2048;
  job.global_batch = 4096;
  const auto step_s = [&job](RankOrder order) {
    Candidate candidate;
    candidate.mesh = mesh_of(8, 1, 128, 8, 1, 0);
    candidate.mesh.order = order;
    candidate.sequence_parallel = true;
    candidate.zero_stage = 1;
    candidate.recompute = Recompute::full;
    LayerCostCache cache(job);
    const Verdict verdict = evaluate(job, candidate, cache);
    EXPECT_TRUE(verdict.feasible) << verdict.reason;
    return verdict.plan.predicted.step_s;
  };
  EXPECT_GT(step_s(RankOrder::tp_cp_pp_dp), 1.02 * step_s(RankOrder::tp_cp_dp_pp));
}

}  // namespace
}  // namespace argosy
