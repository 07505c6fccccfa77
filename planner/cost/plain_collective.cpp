// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/plain_collective.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "planner/spec/check.h"

namespace argosy {

namespace {

// A double binary tree keeps two flows in each direction and loses some to its odd leaves: NCCL's
// tuner multiplies the bandwidth of trees by 0.92 (tuning.cc).
constexpr double kTreeBandwidth = 0.92;

struct Traffic {
  double bytes_per_s = std::numeric_limits<double>::infinity();  // of the narrowest tier
  double ring_latency_s = 0;                                     // of one pass over the group
  double tree_latency_s = 0;                                     // up or down
};

Traffic traffic(const GroupPlacement& placement, const ClusterSpec& cluster) {
  Traffic t;
  int64_t above = 1;  // domains of the tiers above: a ring enters each of them once
  for (size_t i = placement.branches.size(); i-- > 0;) {
    const int64_t branches = placement.branches[i];
    if (branches <= 1) continue;
    const LinkTier& tier = cluster.tiers[i];
    t.bytes_per_s = std::min(t.bytes_per_s, side_by_side(placement, i) * reached_bytes_per_s(tier));
    t.ring_latency_s += static_cast<double>(above * (branches - 1)) * tier.latency_s;
    t.tree_latency_s += std::ceil(std::log2(static_cast<double>(branches))) * tier.latency_s;
    above *= branches;
  }
  return t;
}

// Reduce-scatter tier by tier, all-reduce at the top, all-gather back: S shrinks on the way out.
double hierarchical_all_reduce(double bytes, const GroupPlacement& placement,
                               const ClusterSpec& cluster) {
  double seconds = 0;
  for (size_t i = 0; i < placement.branches.size(); ++i) {
    const double branches = static_cast<double>(placement.branches[i]);
    if (branches <= 1) continue;
    const LinkTier& tier = cluster.tiers[i];
    seconds += 2 * ((branches - 1) / branches * bytes / reached_bytes_per_s(tier) +
                    (branches - 1) * tier.latency_s);
    bytes /= branches;
  }
  return seconds;
}

double all_reduce_seconds(double bytes, const GroupPlacement& placement,
                          const ClusterSpec& cluster) {
  const Traffic t = traffic(placement, cluster);
  const double n = static_cast<double>(placement.size);
  const double moved_s = 2 * (n - 1) / n * bytes / t.bytes_per_s;
  const double ring_s = moved_s + 2 * t.ring_latency_s;
  const double tree_s = moved_s / kTreeBandwidth + 2 * t.tree_latency_s;
  return std::min({ring_s, tree_s, hierarchical_all_reduce(bytes, placement, cluster)});
}

// Every rank sends an equal part to each of the n ranks: S/n of `crossing_bytes` S where it leaves
// the first tier, of `inner_bytes` within. What stays below a tier does not cross it; tiers work at
// the same time, and the messages to other domains are posted one after the other.
double all_to_all_seconds(double crossing_bytes, double inner_bytes,
                          const GroupPlacement& placement, const ClusterSpec& cluster) {
  const double n = static_cast<double>(placement.size);
  double slowest_s = 0, latency_s = 0, below = 1;
  for (size_t i = 0; i < placement.branches.size(); ++i) {
    const double branches = static_cast<double>(placement.branches[i]);
    if (branches <= 1) continue;
    const LinkTier& tier = cluster.tiers[i];
    const double bytes = i == 0 ? inner_bytes : crossing_bytes;
    slowest_s = std::max(slowest_s, bytes * (branches - 1) * below / n / reached_bytes_per_s(tier));
    latency_s += (branches - 1) * tier.latency_s;
    below *= branches;
  }
  return slowest_s + latency_s;
}

}  // namespace

double all_to_all_once_seconds(int64_t bytes, double copies, double crossings,
                               const GroupPlacement& placement, const ClusterSpec& cluster) {
  const double payload = static_cast<double>(bytes);
  // What came from other nodes goes on within: all copies pass its links, as if it were alone.
  const double nodes =
      static_cast<double>(placement.size) / static_cast<double>(placement.branches.front());
  return all_to_all_seconds(payload * crossings / copies, payload * nodes, placement, cluster);
}

double plain_collective_seconds(CollectiveKind kind, int64_t bytes, const GroupPlacement& placement,
                                const ClusterSpec& cluster) {
  if (placement.size <= 1 || bytes <= 0) return 0;
  const double payload = static_cast<double>(bytes), n = static_cast<double>(placement.size);
  switch (kind) {
    case CollectiveKind::all_reduce:
      return all_reduce_seconds(payload, placement, cluster);
    case CollectiveKind::reduce_scatter:
    case CollectiveKind::all_gather: {
      const Traffic t = traffic(placement, cluster);
      return (n - 1) / n * payload / t.bytes_per_s + t.ring_latency_s;
    }
    case CollectiveKind::broadcast: {
      const Traffic t = traffic(placement, cluster);
      return payload / t.bytes_per_s + t.tree_latency_s;
    }
    case CollectiveKind::all_to_all:
      return all_to_all_seconds(payload, payload, placement, cluster);
    case CollectiveKind::send:
    case CollectiveKind::recv:
      break;  // no group takes part
  }
  CHECK(false, "collective ", static_cast<int>(kind));
  return 0;
}

}  // namespace argosy
