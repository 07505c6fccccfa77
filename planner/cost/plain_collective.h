// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Collectives from latency and bandwidth of the tiers alone (CollectiveModel::plain).
//
//   ring        all_gather and reduce_scatter move (n-1)/n S through every link, all_reduce twice
//               that, in n-1 steps each. A ring leaves a domain as often as the group has ranks
//               there, each time through the adapter of another device: r links side by side.
//   tree        all_reduce in 2 log2(domains) steps across a tier, at 0.9 of the ring's bandwidth
//   hierarchy   reduce_scatter inside, all_reduce of S/r across, all_gather inside
// The fastest of them is taken.
#pragma once

#include <cstdint>

#include "planner/cost/placement.h"
#include "planner/spec/ledger.h"

namespace argosy {

// `placement.size` > 1, `bytes` > 0; not for send and recv.
double plain_collective_seconds(CollectiveKind kind, int64_t bytes, const GroupPlacement& placement,
                                const ClusterSpec& cluster);

// An all_to_all of rows of which each goes to `copies` ranks and crosses to a node of them once, in
// `crossings` of the nodes on the average: the node's links carry it on (DeepEP's kernels between
// nodes). `bytes` > 0: of all copies.
double all_to_all_once_seconds(int64_t bytes, double copies, double crossings,
                               const GroupPlacement& placement, const ClusterSpec& cluster);

}  // namespace argosy
