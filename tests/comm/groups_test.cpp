// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// The groups that exist are the groups of the mesh arithmetic.
#include "comm/groups.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "comm/self/self_communicator.h"
#include "comm/thread/thread_communicator.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

constexpr int64_t kKvHeads = 2;  // tp 4 keeps two copies of each

Mesh mesh_of(int64_t tp, int64_t pp, int64_t dp, int64_t cp, int64_t ep, int64_t etp) {
  Mesh mesh;
  mesh.tp = tp, mesh.pp = pp, mesh.dp = dp, mesh.cp = cp, mesh.ep = ep, mesh.etp = etp;
  return mesh;
}

void expect_groups_of(Communicator& world, const Mesh& mesh) {
  const ProcessGroups groups(world, mesh, kKvHeads);
  EXPECT_EQ(groups.rank(), world.rank());
  EXPECT_EQ(groups.coordinates(), coordinates(mesh, world.rank()));
  EXPECT_EQ(groups.control().size(), world.size());
  EXPECT_EQ(groups.control().rank(), world.rank());
  for (int i = 0; i < kNumAxes; ++i) {
    const Axis axis = static_cast<Axis>(i);
    SCOPED_TRACE(concat(to_string(axis), " of ", to_string(mesh), ", rank ", world.rank()));
    Communicator& group = groups[axis];
    const std::vector<int64_t> members = group_members(mesh, axis, world.rank(), kKvHeads);
    ASSERT_EQ(group.size(), static_cast<int>(members.size()));
    std::vector<int32_t> ranks(members.size());
    const int32_t own = world.rank();
    group.all_gather({&own, 1, DType::int32}, {ranks.data(), group.size(), DType::int32},
                     std::vector<int64_t>(members.size(), 1));
    EXPECT_EQ(std::vector<int64_t>(ranks.begin(), ranks.end()), members);
    EXPECT_EQ(ranks[static_cast<size_t>(group.rank())], own);
  }
}

TEST(ProcessGroups, AreTheMembersOfTheMesh) {
  const std::vector<Mesh> meshes = {mesh_of(1, 1, 1, 1, 1, 1), mesh_of(2, 1, 1, 1, 1, 1),
                                    mesh_of(1, 3, 1, 1, 1, 1), mesh_of(2, 2, 1, 1, 2, 1),
                                    mesh_of(2, 1, 2, 1, 2, 2), mesh_of(4, 1, 1, 1, 1, 1),
                                    mesh_of(2, 1, 1, 3, 1, 2), mesh_of(2, 2, 2, 1, 4, 1),
                                    mesh_of(1, 4, 2, 1, 2, 1), mesh_of(4, 1, 2, 1, 2, 1)};
  for (const Mesh& mesh : meshes) {
    run_on_threads(static_cast<int>(mesh.world_size()),
                   [&](Communicator& world) { expect_groups_of(world, mesh); });
  }
}

TEST(ProcessGroups, RefuseAnotherWorldSizeAndPrintEveryFactor) {
  try {
    run_on_threads(3, [](Communicator& world) {
      const ProcessGroups groups(world, mesh_of(2, 2, 1, 1, 2, 1), kKvHeads);
    });
    FAIL() << "no ConfigError";
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("the job has 3 ranks, the plan's mesh needs tp*cp*dp*pp = 2*1*1*2 = 4"),
              std::string::npos)
        << message;
  }
}

TEST(ProcessGroups, RecordEveryAxisButControl) {
  run_on_threads(4, [](Communicator& world) {
    Ledger ledger;
    ProcessGroups groups(world, mesh_of(2, 1, 2, 1, 1, 1), 2, &ledger);
    float value = 1;
    const Buffer buffer{&value, 1, DType::fp32};
    groups[Axis::tp].all_reduce(buffer);
    groups[Axis::dp].all_reduce(buffer);
    groups[Axis::pp].all_reduce(buffer);  // one rank
    groups[Axis::world].all_reduce(buffer);
    groups.control().all_reduce(buffer);
    groups.set_ledger(nullptr);
    groups[Axis::tp].all_reduce(buffer);
    const std::map<CollectiveKey, CollectiveTotal> expected = {
        {{CollectiveKind::all_reduce, Axis::tp}, {1, 4}},
        {{CollectiveKind::all_reduce, Axis::dp}, {1, 4}}};
    EXPECT_EQ(ledger.collectives, expected);
  });
}

TEST(ProcessGroups, OfOneRankNeedNoBackEnd) {
  const std::unique_ptr<Communicator> world = make_self_communicator();
  expect_groups_of(*world, Mesh());
}

}  // namespace
}  // namespace argosy
