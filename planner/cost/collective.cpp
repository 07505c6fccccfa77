// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/collective.h"

#include <algorithm>

#include "planner/cost/nccl.h"
#include "planner/cost/plain_collective.h"

namespace argosy {

namespace {

constexpr size_t kFirstIslandTier = 2;

double send_seconds(int64_t bytes, size_t widest, const GroupPlacement& placement,
                    const ClusterSpec& cluster) {
  double bytes_per_s = reached_bytes_per_s(cluster.tiers[widest]);
  if (widest >= kFirstIslandTier) {
    bytes_per_s *= side_by_side(placement, widest);
    for (size_t i = 1; i < widest; ++i) {
      bytes_per_s = std::min(bytes_per_s, reached_bytes_per_s(cluster.tiers[i]));
    }
  }
  return cluster.tiers[widest].latency_s + static_cast<double>(bytes) / bytes_per_s;
}

}  // namespace

double collective_seconds(CollectiveKind kind, int64_t bytes, const GroupPlacement& placement,
                          const ClusterSpec& cluster) {
  if (placement.size <= 1 || bytes <= 0) return 0;
  const double factor = cluster.collective_factors[static_cast<size_t>(kind)];
  if (kind == CollectiveKind::send || kind == CollectiveKind::recv) {
    size_t widest = placement.branches.size() - 1;
    while (widest > 0 && placement.branches[widest] <= 1) --widest;
    return factor * send_seconds(bytes, widest, placement, cluster);
  }
  return factor * (cluster.collectives.model == CollectiveModel::nccl
                       ? nccl_seconds(kind, bytes, placement, cluster)
                       : plain_collective_seconds(kind, bytes, placement, cluster));
}

double pipeline_send_seconds(int64_t bytes, const Mesh& mesh, int64_t pipeline_rank, int64_t other,
                             const GroupPlacement& pipeline, const ClusterSpec& cluster) {
  const int widest = tier_between(mesh, pipeline_rank, other, cluster);
  if (widest < 0 || bytes <= 0) return 0;
  return cluster.collective_factors[static_cast<size_t>(CollectiveKind::send)] *
         send_seconds(bytes, static_cast<size_t>(widest), pipeline, cluster);
}

}  // namespace argosy
