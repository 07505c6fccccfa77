// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/collective.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "planner/spec/check.h"

namespace argosy {

namespace {

// A double binary tree keeps two flows in each direction and loses some to its odd leaves: NCCL's
// tuner multiplies the bandwidth of trees by 0.92 (tuning.cc).
constexpr double kTreeBandwidth = 0.92;

double rate(const LinkTier& tier) {
  return tier.bytes_per_s * tier.efficiency;
}

// Number of domains of `domain` devices that ranks start, start + stride, ... touch.
int64_t domains_touched(int64_t start, int64_t size, int64_t stride, int64_t domain) {
  if (stride >= domain) return size;
  return (start + (size - 1) * stride) / domain - start / domain + 1;
}

// Most domains that any group of the axis touches. Groups repeat with the least common multiple of
// block and domain, and inside of a block the last group reaches farthest.
int64_t most_domains(int64_t size, int64_t stride, int64_t domain, int64_t num_devices) {
  int64_t most = 1;
  const int64_t block = size * stride;
  for (int64_t i = 0; i <= domain && i * block < num_devices; ++i) {
    for (int64_t offset : {int64_t{0}, stride - 1}) {
      most = std::max(most, domains_touched(i * block + offset, size, stride, domain));
    }
    if (i > 0 && i * block % domain == 0) break;
  }
  return std::min(most, size);
}

// Links of tier i that the ranks below one of its branches drive side by side.
double side_by_side(const GroupPlacement& placement, size_t tier) {
  double ranks = 1;
  for (size_t i = 0; i < tier; ++i) ranks *= static_cast<double>(placement.branches[i]);
  return ranks;
}

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
    t.bytes_per_s = std::min(t.bytes_per_s, side_by_side(placement, i) * rate(tier));
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
    seconds +=
        2 * ((branches - 1) / branches * bytes / rate(tier) + (branches - 1) * tier.latency_s);
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

// Every rank sends S/n to each of the n ranks. What stays below a tier does not cross it; tiers
// work at the same time, and the messages to other domains are posted one after the other.
double all_to_all_seconds(double bytes, const GroupPlacement& placement,
                          const ClusterSpec& cluster) {
  const double n = static_cast<double>(placement.size);
  double slowest_s = 0, latency_s = 0, below = 1;
  for (size_t i = 0; i < placement.branches.size(); ++i) {
    const double branches = static_cast<double>(placement.branches[i]);
    if (branches <= 1) continue;
    const LinkTier& tier = cluster.tiers[i];
    slowest_s = std::max(slowest_s, bytes * (branches - 1) * below / n / rate(tier));
    latency_s += (branches - 1) * tier.latency_s;
    below *= branches;
  }
  return slowest_s + latency_s;
}

// The widest tier that the group spans: its latency and one link.
double neighbour_seconds(double bytes, const GroupPlacement& placement,
                         const ClusterSpec& cluster) {
  for (size_t i = placement.branches.size(); i-- > 0;) {
    if (placement.branches[i] > 1) {
      return cluster.tiers[i].latency_s + bytes / rate(cluster.tiers[i]);
    }
  }
  return 0;
}

// Distance of neighbours in the group; 0: the members are no arithmetic series of blocks.
int64_t stride_of(const Mesh& mesh, Axis axis) {
  switch (axis) {
    case Axis::tp:
    case Axis::etp:
    case Axis::kv_replica:
    case Axis::world:
      return 1;
    case Axis::cp:
    case Axis::dp_cp:
    case Axis::zero_shard:
      return mesh.tp;
    case Axis::zero_replica:
      return mesh.tp * std::max<int64_t>(mesh.zero_shard, 1);
    case Axis::dp:
      return mesh.tp * mesh.cp;
    case Axis::pp:
      return mesh.stage_size();
    case Axis::ep:
      return mesh.etp;
    case Axis::edp:
    case Axis::expert_zero_shard:
      return mesh.etp * mesh.ep;
    case Axis::expert_zero_replica:
      return mesh.etp * mesh.ep * degree(mesh, Axis::expert_zero_shard);
    case Axis::embedding:
      return mesh.stage_size() * std::max<int64_t>(mesh.pp - 1, 1);
  }
  return 1;
}

}  // namespace

GroupPlacement place(int64_t size, int64_t stride, const ClusterSpec& cluster) {
  GroupPlacement placement;
  placement.size = size;
  int64_t below = size;  // branches still to be joined
  for (const LinkTier& tier : cluster.tiers) {
    const bool last = &tier == &cluster.tiers.back();
    const int64_t domains =
        last ? 1 : std::min(below, most_domains(size, stride, tier.devices, cluster.num_devices));
    placement.branches.push_back((below + domains - 1) / domains);
    below = domains;
  }
  return placement;
}

GroupPlacement place(const Mesh& mesh, Axis axis, int64_t num_kv_heads,
                     const ClusterSpec& cluster) {
  int64_t size = 1;
  if (axis == Axis::kv_replica) {
    size = num_kv_heads > 0 && mesh.tp > num_kv_heads ? mesh.tp / num_kv_heads : 1;
  } else {
    size = degree(mesh, axis);
  }
  return place(size, stride_of(mesh, axis), cluster);
}

namespace {

double modelled_seconds(CollectiveKind kind, int64_t bytes, const GroupPlacement& placement,
                        const ClusterSpec& cluster) {
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
      return all_to_all_seconds(payload, placement, cluster);
    case CollectiveKind::send:
    case CollectiveKind::recv:
      return neighbour_seconds(payload, placement, cluster);
  }
  CHECK(false, "collective ", static_cast<int>(kind));
  return 0;
}

}  // namespace

double collective_seconds(CollectiveKind kind, int64_t bytes, const GroupPlacement& placement,
                          const ClusterSpec& cluster) {
  if (placement.size <= 1 || bytes <= 0) return 0;
  return cluster.collective_factors[static_cast<size_t>(kind)] *
         modelled_seconds(kind, bytes, placement, cluster);
}

}  // namespace argosy
