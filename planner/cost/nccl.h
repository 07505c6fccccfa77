// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Collectives as NCCL runs them (CollectiveModel::nccl): for each algorithm and protocol
//
//   seconds = latency + S / (bandwidth * ramp(S))
//
// and the fastest pair is taken. The first tier of the cluster is NVLink, the tiers above are the
// network. Letters as in collective.h; m nodes (domains of the first tier), L what a ring has of a
// device's NVLink, A what the group's ranks of one node have of their adapters together.
//
//   ring      min(L, A) * n/(n-1) for all_gather and reduce_scatter, half of it for all_reduce;
//             steps: n-1 or twice that, of which m-1 or twice that between nodes
//   tree      all_reduce: half of 0.92 min(L, A), 2 (n/m - 1) steps inside and 2 log2(m) between
//   NVLS      all_reduce in a node whose switch adds: 2/3 of NVLink / (1 + 1/n)
//   NVLS tree the same between nodes: at most A/2, or A between two
// LL and LL128 send flags beside the data: short steps, less bandwidth. tuning.cc's formulas;
// constants and their sources are in nccl_tables.h.
//
// Across further tiers the links that all ranks of the group below a domain share count, and what
// a tier's latency exceeds that of a local network is added to each step that crosses it.
#pragma once

#include <cstdint>

#include "planner/cost/placement.h"
#include "planner/spec/ledger.h"

namespace argosy {

enum class NcclAlgorithm { ring, tree, nvls, nvls_tree };
enum class NcclProtocol { ll, ll128, simple };

// Of a large payload; without the ramp. bytes_per_s 0: there is no such pair.
struct NcclCost {
  double latency_s = 0, bytes_per_s = 0;
};
NcclCost nccl_cost(CollectiveKind kind, NcclAlgorithm algorithm, NcclProtocol protocol,
                   const GroupPlacement& placement, const ClusterSpec& cluster);

// The fastest pair. `placement.size` > 1, `bytes` > 0; not for send and recv.
double nccl_seconds(CollectiveKind kind, int64_t bytes, const GroupPlacement& placement,
                    const ClusterSpec& cluster);

}  // namespace argosy
