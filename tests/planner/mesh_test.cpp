// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/mesh.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "planner/spec/check.h"

namespace argosy {
namespace {

constexpr Axis kGroupAxes[] = {Axis::tp,
                               Axis::cp,
                               Axis::dp,
                               Axis::pp,
                               Axis::etp,
                               Axis::ep,
                               Axis::edp,
                               Axis::dp_cp,
                               Axis::embedding,
                               Axis::world,
                               Axis::zero_shard,
                               Axis::zero_replica,
                               Axis::expert_zero_shard,
                               Axis::expert_zero_replica};

// Stages between the first and the last do not hold the tied embedding.
int64_t expected_size(const Mesh& mesh, Axis axis, int64_t rank) {
  const int64_t stage = coordinates(mesh, rank).pp;
  const bool is_between = stage > 0 && stage < mesh.pp - 1;
  return axis == Axis::embedding && is_between ? 1 : degree(mesh, axis);
}

// Groups of an axis are a partition: every member names the same group, and sizes are the degree.
void expect_partition(const Mesh& mesh, Axis axis) {
  for (int64_t rank = 0; rank < mesh.world_size(); ++rank) {
    const std::vector<int64_t> group = group_members(mesh, axis, rank);
    ASSERT_TRUE(std::is_sorted(group.begin(), group.end()));
    ASSERT_EQ(std::count(group.begin(), group.end(), rank), 1);
    ASSERT_EQ(static_cast<int64_t>(group.size()), expected_size(mesh, axis, rank))
        << to_string(axis) << " " << to_string(mesh);
    for (const int64_t member : group) {
      ASSERT_EQ(group_members(mesh, axis, member), group) << to_string(axis);
    }
  }
}

TEST(Mesh, GroupsPartitionTheRanks) {
  const Mesh meshes[] = {{},
                         {2, 2, 2, 1, 4, 1},
                         {2, 3, 2, 2, 2, 2},
                         {4, 1, 3, 1, 6, 1},
                         {1, 4, 6, 1, 3, 2},
                         {3, 2, 1, 5, 5, 3},
                         {2, 2, 6, 2, 2, 2, 4},
                         {1, 1, 8, 1, 4, 1, 2},
                         {1, 2, 4, 2, 2, 1, 4}};
  for (const Mesh& mesh : meshes) {
    ASSERT_NO_THROW(validate(mesh));
    for (const Axis axis : kGroupAxes) ASSERT_NO_FATAL_FAILURE(expect_partition(mesh, axis));
  }
}

TEST(Mesh, HybridShardsLieInNeighboursAndEachGroupHoldsThemAll) {
  const Mesh mesh{.tp = 2, .dp = 4, .ep = 2, .zero_shard = 2};
  EXPECT_EQ(group_members(mesh, Axis::zero_shard, 6), (std::vector<int64_t>{4, 6}));
  EXPECT_EQ(group_members(mesh, Axis::zero_replica, 6), (std::vector<int64_t>{2, 6}));
  EXPECT_EQ(group_members(mesh, Axis::expert_zero_shard, 6), (std::vector<int64_t>{4, 6}));
  EXPECT_EQ(group_members(mesh, Axis::expert_zero_replica, 6), (std::vector<int64_t>{2, 6}));
  const Mesh plain{.tp = 2, .dp = 4};
  EXPECT_EQ(degree(plain, Axis::zero_shard), 1);
  EXPECT_EQ(degree(plain, Axis::expert_zero_replica), 1);
}

TEST(Mesh, HybridShardsMustDivideTheRanksThatSeeOtherData) {
  EXPECT_THROW(validate(Mesh{.dp = 4, .zero_shard = 3}), ConfigError);
  EXPECT_THROW(validate(Mesh{.dp = 4, .zero_shard = -1}), ConfigError);
  EXPECT_THROW(validate(Mesh{.dp = 12, .ep = 3, .zero_shard = 2}), ConfigError);
}

TEST(Mesh, TensorParallelRanksAreNeighboursAndStagesAreFarApart) {
  const Mesh mesh{2, 3, 4, 1, 1, 1};
  EXPECT_EQ(group_members(mesh, Axis::tp, 5), (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(group_members(mesh, Axis::dp, 5), (std::vector<int64_t>{1, 3, 5, 7}));
  EXPECT_EQ(group_members(mesh, Axis::pp, 5), (std::vector<int64_t>{5, 13, 21}));
  EXPECT_EQ(group_members(mesh, Axis::embedding, 5), (std::vector<int64_t>{5, 21}));
  EXPECT_EQ(group_members(mesh, Axis::embedding, 13), (std::vector<int64_t>{13}));
}

TEST(Mesh, ExpertsFoldOverTensorAndDataParallelRanks) {
  const Mesh mesh{2, 1, 4, 1, 4, 1};
  EXPECT_EQ(mesh.edp(), 2);
  EXPECT_EQ(group_members(mesh, Axis::ep, 6), (std::vector<int64_t>{4, 5, 6, 7}));
  EXPECT_EQ(group_members(mesh, Axis::edp, 6), (std::vector<int64_t>{2, 6}));
}

TEST(Mesh, KeyValueReplicasAreNeighbours) {
  const Mesh mesh{8, 1, 2, 1, 1, 1};
  EXPECT_EQ(group_members(mesh, Axis::kv_replica, 9, 2), (std::vector<int64_t>{8, 9, 10, 11}));
  EXPECT_EQ(group_members(mesh, Axis::kv_replica, 9, 8), (std::vector<int64_t>{9}));
  EXPECT_EQ(group_members(mesh, Axis::kv_replica, 9, 16), (std::vector<int64_t>{9}));
}

TEST(Mesh, HundredThousandRanks) {
  const Mesh mesh{8, 16, 800, 1, 64, 1};  // 102,400
  ASSERT_NO_THROW(validate(mesh));
  ASSERT_EQ(mesh.world_size(), 102400);
  for (int64_t rank = 0; rank < mesh.world_size(); ++rank) {
    const Coordinates at = coordinates(mesh, rank);
    ASSERT_EQ(rank_of(mesh, at), rank);
    ASSERT_EQ(at.pp * mesh.stage_size() + (at.edp * mesh.ep + at.ep) * mesh.etp + at.etp, rank);
  }
  for (const Axis axis : kGroupAxes) {
    for (const int64_t rank : {int64_t{0}, int64_t{51234}, mesh.world_size() - 1}) {
      const std::vector<int64_t> group = group_members(mesh, axis, rank);
      EXPECT_EQ(static_cast<int64_t>(group.size()), expected_size(mesh, axis, rank));
      EXPECT_TRUE(std::binary_search(group.begin(), group.end(), rank));
    }
  }
}

TEST(Mesh, SplitRangeCoversWithoutGapsAndDiffersByOne) {
  for (int64_t size = 0; size < 40; ++size) {
    for (int64_t parts = 1; parts < 12; ++parts) {
      int64_t end = 0;
      for (int64_t i = 0; i < parts; ++i) {
        const Range part = split_range(size, parts, i);
        ASSERT_EQ(part.begin, end);
        ASSERT_TRUE(part.size() == size / parts || part.size() == size / parts + 1);
        end = part.end;
      }
      ASSERT_EQ(end, size);
      const std::vector<int64_t> sizes = split_sizes(size, parts);
      ASSERT_EQ(std::accumulate(sizes.begin(), sizes.end(), int64_t{0}), size);
      ASSERT_TRUE(std::is_sorted(sizes.rbegin(), sizes.rend()));
    }
  }
}

std::string error_of(const Mesh& mesh) {
  try {
    validate(mesh);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(Mesh, ErrorsPrintEveryFactor) {
  EXPECT_NE(error_of({2, 1, 3, 1, 4, 1}).find("tp*cp*dp = 2*1*3 = 6"), std::string::npos);
  EXPECT_NE(error_of({0, 1, 1, 1, 1, 1}).find("tp=0"), std::string::npos);
  EXPECT_NE(error_of({1, 1, -2, 1, 1, 1}).find("dp=-2"), std::string::npos);
}

// Degrees of a plan.json are anybody's: their products must not overflow, least of all to zero.
TEST(Mesh, ImpossibleDegreesAreErrors) {
  constexpr int64_t kHuge = int64_t{1} << 32;
  EXPECT_THROW(validate(Mesh{.ep = kHuge, .etp = kHuge}), ConfigError);
  EXPECT_THROW(validate(Mesh{.tp = kHuge, .dp = kHuge}), ConfigError);
  EXPECT_THROW(validate(Mesh{.tp = 1000000, .pp = 1000000, .dp = 1000000, .cp = 1000000}),
               ConfigError);
  EXPECT_NO_THROW(validate(Mesh{.tp = 8, .pp = 16, .dp = 50000}));
}

}  // namespace
}  // namespace argosy
