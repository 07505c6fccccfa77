// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where the ranks of a group sit in the cluster: arithmetic over the order of ranks, for 100,000
// devices as cheap as for eight.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/spec/cluster.h"
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

// The same for an axis of a mesh, on the devices that mesh.order gives its ranks; `num_kv_heads`
// matters for kv_replica alone. With tp_cp_pp_dp, where neither a node nor the distance of two
// copies divides the other, a group counts on as many nodes as it can touch at most.
GroupPlacement place(const Mesh& mesh, Axis axis, int64_t num_kv_heads, const ClusterSpec& cluster);

// The widest tier between two pipeline ranks, in the slowest of the mesh's pipelines; -1 if they
// are one.
int tier_between(const Mesh& mesh, int64_t pipeline_rank, int64_t other,
                 const ClusterSpec& cluster);

// Ranks of the group below one domain of tier `tier`: they drive their links to it side by side.
double side_by_side(const GroupPlacement& placement, size_t tier);

}  // namespace argosy
