// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/windows.h"

#include <algorithm>
#include <vector>

#include "planner/spec/integers.h"
#include "planner/spec/mesh.h"

namespace argosy {

WindowLayout::WindowLayout(int64_t small_call_bytes, int64_t slot_bytes)
    : small_slot_bytes(round_up(std::max(small_call_bytes, kCacheLineBytes), kCacheLineBytes)),
      large_slot_bytes(round_up(slot_bytes, kCacheLineBytes)) {}

int64_t WindowLayout::slot_offset(int lane, uint64_t round) const {
  constexpr int64_t depth = kLaneDepth;
  const auto in_lane = static_cast<int64_t>(round % kLaneDepth);
  const int64_t small = kSmallLanes * depth * small_slot_bytes;
  const int64_t before = lane < kSmallLanes
                             ? lane * depth * small_slot_bytes
                             : small + (lane - kSmallLanes) * depth * large_slot_bytes;
  return kWindowControlBytes + before + in_lane * slot_bytes(lane);
}

int64_t WindowLayout::place_bytes() const {
  return round_up(slot_offset(kWindowLanes - 1, kLaneDepth - 1) + large_slot_bytes,
                  kWindowPageBytes);
}

int64_t window_bytes(const Plan& plan, int64_t rank, int64_t ranks_per_node) {
  const int64_t world = plan.mesh.world_size(), node = rank / ranks_per_node;
  int64_t num_places = world > 1 && world <= ranks_per_node ? 2 : 0;  // the world, and its copy
  for (int axis = 0; axis < kNumAxes; ++axis) {
    if (static_cast<Axis>(axis) == Axis::world) continue;
    const std::vector<int64_t> members =
        group_members(plan.mesh, static_cast<Axis>(axis), rank, plan.model.num_kv_heads);
    const bool is_here = std::all_of(members.begin(), members.end(), [&](int64_t member) {
      return member / ranks_per_node == node;
    });
    if (members.size() > 1 && is_here) ++num_places;
  }
  return num_places * WindowLayout(kSmallCallBytes, kLargeSlotBytes).place_bytes();
}

}  // namespace argosy
