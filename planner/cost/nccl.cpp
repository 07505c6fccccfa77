// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/nccl.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "planner/cost/nccl_tables.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

using namespace nccl;  // the tables

// A group as NCCL sees it.
struct View {
  double ranks = 1, per_node = 1, nodes = 1;
  double link_bytes_per_s = 0;     // L
  double network_bytes_per_s = 0;  // A; without bound on one node
  double channels = 1;
  bool fills_nodes = false;  // all devices of its nodes take part
  bool spans_nodes() const { return nodes > 1; }
  double ring_bytes_per_s() const { return std::min(link_bytes_per_s, network_bytes_per_s); }
};

View view_of(const GroupPlacement& placement, const ClusterSpec& cluster) {
  View v;
  v.ranks = static_cast<double>(placement.size);
  v.per_node = static_cast<double>(placement.branches.front());
  v.link_bytes_per_s = reached_bytes_per_s(cluster.tiers.front());
  v.network_bytes_per_s = std::numeric_limits<double>::infinity();
  for (size_t i = 1; i < placement.branches.size(); ++i) {
    if (placement.branches[i] <= 1) continue;
    v.nodes *= static_cast<double>(placement.branches[i]);
    v.network_bytes_per_s = std::min(
        v.network_bytes_per_s, side_by_side(placement, i) * reached_bytes_per_s(cluster.tiers[i]));
  }
  v.fills_nodes = placement.branches.front() == cluster.tiers.front().devices;
  v.channels = static_cast<double>(cluster.collectives.channels);
  if (v.spans_nodes()) {
    v.channels =
        std::min(2 * v.per_node, static_cast<double>(cluster.collectives.network_channels));
  }
  return v;
}

// Tables hold for links on which a ring's step of the Simple protocol takes `usual_s`. A tier with
// a shorter latency shortens them in proportion, a longer one adds what it is longer.
double step_seconds(double table_s, double usual_s, const LinkTier& tier) {
  return table_s * std::min(1.0, tier.latency_s / usual_s) +
         std::max(0.0, tier.latency_s - usual_s);
}
double link_step_seconds(const ByProtocol& table, size_t protocol, const ClusterSpec& cluster) {
  return step_seconds(table[protocol], kRingLinkS.back(), cluster.tiers.front());
}
double net_step_seconds(const ByProtocol& table, size_t protocol, const LinkTier& tier) {
  return step_seconds(table[protocol], kRingNetS.back(), tier);
}

// Seconds of one pass of a ring between nodes: it enters each domain of a tier once.
double ring_network_seconds(const ByProtocol& table, size_t protocol,
                            const GroupPlacement& placement, const ClusterSpec& cluster) {
  double seconds = 0, above = 1;
  for (size_t i = placement.branches.size(); i-- > 1;) {
    const double branches = static_cast<double>(placement.branches[i]);
    seconds += above * (branches - 1) * net_step_seconds(table, protocol, cluster.tiers[i]);
    above *= branches;
  }
  return seconds;
}

// Seconds of one pass of a tree, up or down.
double tree_network_seconds(const ByProtocol& table, size_t protocol,
                            const GroupPlacement& placement, const ClusterSpec& cluster) {
  double seconds = 0;
  for (size_t i = 1; i < placement.branches.size(); ++i) {
    const double levels = std::ceil(std::log2(static_cast<double>(placement.branches[i])));
    seconds += levels * net_step_seconds(table, protocol, cluster.tiers[i]);
  }
  return seconds;
}

double low_latency_limit(const View& v, const GenerationLimits& limits) {
  if (!v.spans_nodes()) return limits.ll_bytes_per_s;
  return v.nodes <= 2 ? kLowLatencyTwoNodes : kLowLatencyNodes;
}

NcclCost ring_cost(CollectiveKind kind, size_t protocol, const View& v,
                   const GroupPlacement& placement, const ClusterSpec& cluster) {
  const GenerationLimits limits = limits_of(cluster.collectives.generation);
  double bus = v.ring_bytes_per_s();
  if (protocol == static_cast<size_t>(NcclProtocol::ll)) {
    bus = std::min(low_latency_limit(v, limits), bus * kRingLl);
  } else if (protocol == static_cast<size_t>(NcclProtocol::ll128)) {
    bus = std::min(bus * kLl128, v.channels * limits.ring_ll128);
  }
  const double passes = kind == CollectiveKind::all_reduce ? 2 : 1;
  const double moved = kind == CollectiveKind::broadcast ? 1 : passes * (v.ranks - 1) / v.ranks;
  double seconds_per_byte = moved / bus;
  if (!v.spans_nodes() && kind != CollectiveKind::broadcast) {
    seconds_per_byte +=
        2 / (v.ranks * kCopyShare * cluster.accelerator.memory_bytes_per_s);  // its own part
  }
  double step_s = link_step_seconds(kRingLinkS, protocol, cluster);
  if (v.spans_nodes()) step_s = std::max(step_s, kPostS[protocol]);
  const ByProtocol& network = v.per_node == 1 ? kTreeNetS : kRingNetS;  // nothing hides it
  return {
      kRingBaseS[protocol] + passes * ((v.ranks - v.nodes) * step_s +
                                       ring_network_seconds(network, protocol, placement, cluster)),
      1 / seconds_per_byte};
}

NcclCost tree_cost(size_t protocol, const View& v, const GroupPlacement& placement,
                   const ClusterSpec& cluster) {
  const GenerationLimits limits = limits_of(cluster.collectives.generation);
  const size_t span = v.nodes <= 2 ? static_cast<size_t>(v.nodes) - 1 : 2;
  // Between two nodes there is one level: what the links do not limit, the adapters do not either.
  const double ring =
      v.nodes <= 2 ? std::min(v.link_bytes_per_s, 2 * v.network_bytes_per_s) : v.ring_bytes_per_s();
  double bus = std::min(ring * kTree, v.channels * limits.tree[span]);
  if (protocol == static_cast<size_t>(NcclProtocol::ll)) {
    bus = std::min(bus * kTreeLl, low_latency_limit(v, limits));
  } else if (protocol == static_cast<size_t>(NcclProtocol::ll128)) {
    bus = std::min(bus * (v.spans_nodes() ? kTreeLl128 : kTreeLl128InNode),
                   v.channels * limits.tree_ll128[span]);
  }
  const double inside_s = (v.per_node - 1) * link_step_seconds(kTreeLinkS, protocol, cluster);
  const double between_s = tree_network_seconds(kTreeNetS, protocol, placement, cluster);
  return {kTreeBaseS[protocol] + 2 * (inside_s + between_s), bus * kTreePattern / 2};
}

NcclCost nvls_cost(const View& v, const ClusterSpec& cluster) {
  const double link = cluster.tiers.front().bytes_per_s;
  return {kNvlsS, kNvlsShare * link / (1 + 1 / v.per_node)};
}

NcclCost nvls_tree_cost(const View& v, const GroupPlacement& placement,
                        const ClusterSpec& cluster) {
  const NcclCost inside = nvls_cost(v, cluster);
  const double ways = v.nodes <= 2 ? 1 : 2;  // up and down at once
  const ByProtocol network = {kNvlsTreeNetS, kNvlsTreeNetS, kNvlsTreeNetS};
  const size_t simple = static_cast<size_t>(NcclProtocol::simple);
  return {inside.latency_s + 2 * tree_network_seconds(network, simple, placement, cluster),
          std::min(inside.bytes_per_s, kNvlsTreeShare * v.network_bytes_per_s / ways)};
}

double share_at(const Ramp& ramp, double bytes) {
  const double position = std::log2(std::max(bytes, kPlateauBytes) / 64);
  const auto below = static_cast<size_t>(position);
  if (below + 1 >= ramp.size()) return ramp.back();
  const double part = position - static_cast<double>(below);
  if (ramp[below] == ramp[below + 1]) return ramp[below];
  return ramp[below] * std::pow(ramp[below + 1] / ramp[below], part);
}

// Reached share of the bandwidth at S bytes.
double ramp_share(NcclAlgorithm algorithm, size_t protocol, double bytes, const View& v) {
  switch (algorithm) {
    case NcclAlgorithm::tree:
      return share_at(kTreeRamp[protocol], bytes);
    case NcclAlgorithm::nvls_tree:
      return share_at(kNvlsTreeRamp, bytes / v.ranks);
    case NcclAlgorithm::ring:
      return v.spans_nodes() && v.fills_nodes ? share_at(kRingRamp, bytes / v.ranks) : 1;
    case NcclAlgorithm::nvls:
      return 1;
  }
  return 1;
}

bool exists(CollectiveKind kind, NcclAlgorithm algorithm, NcclProtocol protocol, const View& v,
            const ClusterSpec& cluster) {
  if (algorithm == NcclAlgorithm::ring) return true;
  if (kind != CollectiveKind::all_reduce) return false;
  if (algorithm == NcclAlgorithm::tree) return true;
  const bool spans = algorithm == NcclAlgorithm::nvls_tree;
  return cluster.collectives.has_nvls && protocol == NcclProtocol::simple &&
         spans == v.spans_nodes() && v.per_node >= kFewestForNvls;
}

NcclCost cost_of(CollectiveKind kind, NcclAlgorithm algorithm, NcclProtocol protocol, const View& v,
                 const GroupPlacement& placement, const ClusterSpec& cluster) {
  const auto p = static_cast<size_t>(protocol);
  switch (algorithm) {
    case NcclAlgorithm::ring:
      return ring_cost(kind, p, v, placement, cluster);
    case NcclAlgorithm::tree:
      return tree_cost(p, v, placement, cluster);
    case NcclAlgorithm::nvls:
      return nvls_cost(v, cluster);
    case NcclAlgorithm::nvls_tree:
      return nvls_tree_cost(v, placement, cluster);
  }
  return {};
}

double latency_of_nodes(double nodes) {
  const NodesLatency* last = std::end(kAllToAllS) - 1;
  if (nodes >= last->nodes) return last->latency_s * nodes / last->nodes;
  const NodesLatency* above = std::begin(kAllToAllS);
  while (above->nodes < nodes) ++above;
  if (above == std::begin(kAllToAllS)) return above->latency_s;
  const NodesLatency* below = above - 1;
  const double part = (nodes - below->nodes) / (above->nodes - below->nodes);
  return below->latency_s + part * (above->latency_s - below->latency_s);
}

// Over NVLink: the copy engines or kernels, whichever is faster.
double all_to_all_in_node(double bytes, const View& v, const ClusterSpec& cluster) {
  const double moved = bytes * (v.ranks - 1) / v.ranks;
  const size_t simple = static_cast<size_t>(NcclProtocol::simple);
  const double kernels_s = kRingBaseS[simple] +
                           v.ranks * link_step_seconds(kRingLinkS, simple, cluster) +
                           moved / (kKernelShare * v.link_bytes_per_s);
  if (!cluster.collectives.has_nvls) return kernels_s;
  const double engines_s =
      kCopyEngineS + moved / (kCopyEngineShare * cluster.tiers.front().bytes_per_s);
  return std::min(kernels_s, engines_s);
}

// A rank's own adapter carries what goes to other nodes, its share of the uplinks what goes
// farther.
double all_to_all_seconds(double bytes, const View& v, const GroupPlacement& placement,
                          const ClusterSpec& cluster) {
  if (!v.spans_nodes()) return all_to_all_in_node(bytes, v, cluster);
  double share = share_at(kAdapterRamp, bytes / v.ranks);
  share = 1 - (1 - share) / std::max(1.0, std::log2(v.nodes));
  double slowest_s = 0, added_s = 0, below = v.per_node;
  for (size_t i = 1; i < placement.branches.size(); ++i) {
    const double branches = static_cast<double>(placement.branches[i]);
    if (branches <= 1) continue;
    const LinkTier& tier = cluster.tiers[i];
    const double loss = i == 1 ? kAdapterLoss / v.nodes : 0;
    slowest_s = std::max(slowest_s, bytes * (1 - below / v.ranks) /
                                        (reached_bytes_per_s(tier) * (1 - loss) * share));
    added_s = std::max(added_s, tier.latency_s - kRingNetS.back());
    below *= branches;
  }
  return latency_of_nodes(v.nodes) + added_s + slowest_s;
}

}  // namespace

NcclCost nccl_cost(CollectiveKind kind, NcclAlgorithm algorithm, NcclProtocol protocol,
                   const GroupPlacement& placement, const ClusterSpec& cluster) {
  const View v = view_of(placement, cluster);
  if (!exists(kind, algorithm, protocol, v, cluster)) return {};
  return cost_of(kind, algorithm, protocol, v, placement, cluster);
}

double nccl_seconds(CollectiveKind kind, int64_t bytes, const GroupPlacement& placement,
                    const ClusterSpec& cluster) {
  CHECK(kind != CollectiveKind::send && kind != CollectiveKind::recv, "no group takes part");
  const View v = view_of(placement, cluster);
  const double payload = static_cast<double>(bytes);
  if (kind == CollectiveKind::all_to_all) {
    return all_to_all_seconds(payload, v, placement, cluster);
  }
  double best_s = std::numeric_limits<double>::infinity();
  for (NcclAlgorithm algorithm :
       {NcclAlgorithm::ring, NcclAlgorithm::tree, NcclAlgorithm::nvls, NcclAlgorithm::nvls_tree}) {
    for (NcclProtocol protocol : {NcclProtocol::ll, NcclProtocol::ll128, NcclProtocol::simple}) {
      if (!exists(kind, algorithm, protocol, v, cluster)) continue;
      NcclCost cost = cost_of(kind, algorithm, protocol, v, placement, cluster);
      const bool is_plateau =
          algorithm == NcclAlgorithm::ring && protocol == NcclProtocol::simple && v.spans_nodes() &&
          kind == CollectiveKind::all_reduce && payload / (v.channels * v.ranks) >= kPlateauBytes;
      if (is_plateau) cost.latency_s *= kRingPlateau;
      if (cost.latency_s + payload / cost.bytes_per_s >= best_s) continue;  // a ramp adds to it
      const double reached =
          cost.bytes_per_s * ramp_share(algorithm, static_cast<size_t>(protocol), payload, v);
      best_s = std::min(best_s, cost.latency_s + payload / reached);
    }
  }
  return best_s;
}

}  // namespace argosy
