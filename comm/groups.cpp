// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "comm/groups.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "planner/spec/check.h"

namespace argosy {
namespace {

void check_world_size(const Mesh& mesh, int size) {
  if (size == mesh.world_size()) return;
  throw ConfigError(
      concat("the job has ", size, " ranks, the plan's mesh needs tp*cp*dp*pp = ", mesh.tp, "*",
             mesh.cp, "*", mesh.dp, "*", mesh.pp, " = ", mesh.world_size(), " (", to_string(mesh),
             "); start ", mesh.world_size(), " ranks or plan for ", size));
}

// True if some rank of the mesh has company along the axis; the same answer on every rank, since
// all of them must take part in a split or none.
bool has_groups(const Mesh& mesh, Axis axis, int64_t num_kv_heads) {
  if (axis == Axis::kv_replica) return num_kv_heads > 0 && mesh.tp > num_kv_heads;
  return degree(mesh, axis) > 1;
}

}  // namespace

ProcessGroups::ProcessGroups(Communicator& world, const Mesh& mesh, int64_t num_kv_heads,
                             Ledger* ledger)
    : mesh_(mesh),
      rank_(world.rank()),
      num_kv_heads_(num_kv_heads),
      recording_(std::make_shared<RecordingSwitch>()) {
  validate(mesh);
  check_world_size(mesh, world.size());
  coordinates_ = argosy::coordinates(mesh, rank_);
  recording_->ledger = ledger;
  control_ = make_recording_communicator(world.split(0, world.rank()), Axis::world, recording_);
  for (int i = 0; i < kNumAxes; ++i) {
    const Axis axis = static_cast<Axis>(i);
    if (axis == Axis::world) continue;
    std::unique_ptr<Communicator>& group = groups_[static_cast<size_t>(i)];
    if (has_groups(mesh, axis, num_kv_heads)) {
      // The lowest rank of a group is its color; world ranks ascend within a group.
      const std::vector<int64_t> members = group_members(mesh, axis, rank_, num_kv_heads);
      group = world.split(static_cast<int>(members.front()), world.rank());
      CHECK(group->size() == static_cast<int>(members.size()), to_string(axis), " group of ",
            group->size(), " ranks, ", members.size(), " expected");
      if (members.size() > 1) {
        group = make_recording_communicator(std::move(group), axis, recording_, members);
        continue;
      }
    }
    group = world.alone();
  }
}

Communicator& ProcessGroups::operator[](Axis axis) const {
  if (axis == Axis::world) return *control_;
  return *groups_[static_cast<size_t>(axis)];
}

}  // namespace argosy
