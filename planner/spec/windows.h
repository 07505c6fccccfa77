// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Windows of shared memory through which ranks of one node communicate (comm/window): how large
// they are, and how many a plan's rank has.
#pragma once

#include <cstdint>

#include "planner/spec/plan.h"

namespace argosy {

inline constexpr int kSmallLanes = 4;  // calls of one group that may be under way side by side
inline constexpr int kLargeLanes = 2;
inline constexpr int kWindowLanes = kSmallLanes + kLargeLanes;
inline constexpr int kLaneDepth = 2;  // one slot is read while the next is written
// A multiple of what any part of a place is aligned to, and a divisor of the system's pages.
inline constexpr int64_t kWindowPageBytes = 4096;
inline constexpr int64_t kCacheLineBytes = 64;  // what one rank writes shares none with others
// What ranks tell each other about a place: a line for its state, one for each lane.
inline constexpr int64_t kWindowControlBytes = (1 + kWindowLanes) * kCacheLineBytes;

// Bytes of a slot for a call, unless told otherwise (Limits of comm/message/transport.h says why).
inline constexpr int64_t kSmallCallBytes = int64_t{16} << 10;
inline constexpr int64_t kLargeSlotBytes = int64_t{256} << 10;

// Sizes of a place, a rank's part of a group's window: control, then kLaneDepth slots of each lane.
struct WindowLayout {
  int64_t small_slot_bytes = 0, large_slot_bytes = 0;
  WindowLayout(int64_t small_call_bytes, int64_t slot_bytes);
  int64_t slot_bytes(int lane) const {
    return lane < kSmallLanes ? small_slot_bytes : large_slot_bytes;
  }
  int64_t slot_offset(int lane, uint64_t round) const;
  int64_t place_bytes() const;
};

// Of one rank of this plan under MPI, all ranks on nodes of `ranks_per_node`: a place for each
// group of more than one rank that is on one node, the world and its copy for control among them.
int64_t window_bytes(const Plan& plan, int64_t rank, int64_t ranks_per_node);

}  // namespace argosy
