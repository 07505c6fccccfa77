// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Seconds of collectives: where the ranks of a group sit decides which links carry what.
//
// Letters: n ranks in the group, S bytes of payload as CollectiveTotal counts them, r ranks of the
// group below one domain of a tier (for example in one node).
//
//   ring        all_gather and reduce_scatter move (n-1)/n S through every link, all_reduce twice
//               that, in n-1 steps each. A ring leaves a domain as often as the group has ranks
//               there, each time through the adapter of another device: r links side by side.
//   tree        all_reduce in 2 log2(domains) steps across a tier, at 0.9 of the ring's bandwidth
//   hierarchy   reduce_scatter inside, all_reduce of S/r across, all_gather inside
// The fastest of them is taken, as NCCL's tuner does (tuning.cc, github.com/NVIDIA/nccl).
#pragma once

#include <cstdint>
#include <vector>

#include "planner/spec/cluster.h"
#include "planner/spec/ledger.h"
#include "planner/spec/mesh.h"

namespace argosy {

// The slowest group of an axis. branches[i]: how many domains of tier i-1 (devices for i = 0) it
// has in one domain of tier i; their product is at least the size of the group.
struct GroupPlacement {
  int64_t size = 1;
  std::vector<int64_t> branches;  // [tiers]
};

// Placement of `size` ranks that are `stride` apart; groups follow each other in blocks of size *
// stride ranks from rank 0 on. Of groups that differ, the one over the most domains is returned.
GroupPlacement place(int64_t size, int64_t stride, const ClusterSpec& cluster);

// The same for an axis of a mesh; `num_kv_heads` matters for kv_replica alone.
GroupPlacement place(const Mesh& mesh, Axis axis, int64_t num_kv_heads, const ClusterSpec& cluster);

// 0 for groups of one rank. For send and recv: between neighbours of the group.
double collective_seconds(CollectiveKind kind, int64_t bytes, const GroupPlacement& placement,
                          const ClusterSpec& cluster);

}  // namespace argosy
