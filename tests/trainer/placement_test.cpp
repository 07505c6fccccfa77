// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/placement.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <string>
#include <vector>

#include "comm/self/self_communicator.h"
#include "planner/spec/check.h"
#include "planner/spec/cores.h"

namespace argosy {
namespace {

TEST(GpuOfRank, IsTheOneOfItsNumberOnTheNode) {
  for (int rank = 0; rank < 4; ++rank) {
    EXPECT_EQ(gpu_of_rank({.local_rank = rank, .local_size = 4, .num_visible = 4}), rank);
    EXPECT_EQ(gpu_of_rank({.local_rank = rank, .local_size = 4, .num_visible = 8}), rank);
  }
}

// A scheduler gives each rank a GPU and hides the others.
TEST(GpuOfRank, IsTheOnlyOneThatItSees) {
  EXPECT_EQ(gpu_of_rank({.local_rank = 3, .local_size = 4, .num_visible = 1}), 0);
}

TEST(GpuOfRank, IsSharedIfItMay) {
  EXPECT_EQ(gpu_of_rank({.local_rank = 3, .local_size = 4, .num_visible = 2, .share_gpus = true}),
            1);
  // Also the ranks that have a GPU refuse: all of a node say the same.
  for (int rank = 0; rank < 4; ++rank) {
    try {
      gpu_of_rank({.local_rank = rank, .local_size = 4, .num_visible = 2});
      ADD_FAILURE() << rank;
    } catch (const ConfigError& error) {
      EXPECT_EQ(std::string(error.what()),
                "--device cuda: 4 ranks on this node, but each sees 2 GPUs; valid: at most one "
                "rank a GPU, or --share-gpus for tests");
    }
  }
}

// Two cores of two hyper-threads each.
TEST(PlacementWarnings, RanksThatShareCoresAreToldOnce) {
  const auto warnings_of = [](int ranks, int cores, int cpus) {
    Placement placement = {.node_cpus = 4, .job_cpus = 4, .job_ranks = ranks};
    placement.num_cores = cores, placement.num_cpus = cpus;
    return placement_warnings(*make_self_communicator(), placement);
  };
  EXPECT_TRUE(warnings_of(2, 2, 4).empty()) << "unbound, a core each";
  EXPECT_TRUE(warnings_of(2, 1, 2).empty()) << "bound, a core each";
  EXPECT_TRUE(warnings_of(4, 1, 1).empty()) << "bound to a hyper-thread each";
  EXPECT_EQ(warnings_of(3, 2, 4),
            (std::vector<std::string>{
                "3 ranks share 2 cores: others compute while one waits (bubble, comm), so that "
                "waits and MFU can add up to more than a step"}));
  EXPECT_EQ(warnings_of(5, 1, 1).size(), 1U) << "bound, several to one";
}

TEST(KeepToCpus, LeavesWhatIsNearAndNeverNothing) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  if (CPU_COUNT(&before) < 2) GTEST_SKIP() << "one CPU";
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  EXPECT_FALSE(keep_to_cpus({}));
  EXPECT_FALSE(keep_to_cpus({CPU_SETSIZE + 1, -1}));
  EXPECT_TRUE(keep_to_cpus({first, CPU_SETSIZE + 1}));
  cpu_set_t after;
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_EQ(CPU_COUNT(&after), 1);
  EXPECT_TRUE(CPU_ISSET(first, &after));
  EXPECT_FALSE(keep_to_cpus({first}));  // nothing to leave out
  sched_setaffinity(0, sizeof before, &before);
}

}  // namespace
}  // namespace argosy
