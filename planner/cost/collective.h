// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Seconds of collectives: where the ranks of a group sit decides which links carry what
// (placement.h), the cluster file whose algorithms do it: plain_collective.h, nccl.h.
//
// Letters: n ranks in the group, S bytes of payload as CollectiveTotal counts them, r ranks of the
// group below one domain of a tier (for example in one node).
#pragma once

#include <cstdint>

#include "planner/cost/placement.h"
#include "planner/spec/ledger.h"

namespace argosy {

// 0 for groups of one rank. For send and recv: between neighbours of the group, over the widest
// tier that it spans.
double collective_seconds(CollectiveKind kind, int64_t bytes, const GroupPlacement& placement,
                          const ClusterSpec& cluster);

// A message between two pipeline ranks; `pipeline` is the placement of Axis::pp. Links between
// nodes are a rank's own. The uplinks of an island are shared by all in it, of whom only the last
// of r stages sends out: it has r shares, as far as its own link carries them. 0 for one rank.
double pipeline_send_seconds(int64_t bytes, const Mesh& mesh, int64_t pipeline_rank, int64_t other,
                             const GroupPlacement& pipeline, const ClusterSpec& cluster);

}  // namespace argosy
