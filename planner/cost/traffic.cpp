// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/traffic.h"

#include <algorithm>
#include <cmath>

#include "planner/cost/plain_collective.h"

namespace argosy {

namespace {

// Compute and traffic that run side by side take memory bandwidth and multiprocessors from each
// other: the shorter one slows the longer by this share (Galvatron measures 1.1 to 1.3 for both).
constexpr double kContention = 0.15;
// Multiprocessors of kernels that move data. NCCL has one block a channel, for messages to a peer
// behind the network two channels (NCCL_NCHANNELS_PER_NET_PEER). DeepEP's dispatch and combine take
// 20 (arXiv:2412.19437 section 3.2.2). Calculon's shares for A100, 0.15 over NVLink and 0.02 over
// InfiniBand, are of the same size: 12 of 108 and 2 of 108.
constexpr double kChannelsOfNetPeer = 2, kDispatchMultiprocessors = 20;
// Until all ranks of a group have started the kernel of a collective of another framework: an
// estimate.
constexpr double kCollectiveStartS = 15e-6;

// Frameworks cut products and their traffic into parts through the memory that NVLink shares
// (Transformer Engine's user buffers): not between nodes.
bool is_in_first_tier(const GroupPlacement& placement) {
  for (size_t tier = 1; tier < placement.branches.size(); ++tier) {
    if (placement.branches[tier] > 1) return false;
  }
  return true;
}

// Of the nodes of an expert-parallel group, how many a token goes to when each of its experts is as
// likely to be anywhere; at most those of its groups of experts.
double nodes_of_token(const MoeSpec& moe, double nodes) {
  const double copies = static_cast<double>(moe.top_k);
  const double reached = nodes * (1 - std::pow(1 - 1 / nodes, copies));
  const double groups = static_cast<double>(moe.top_groups) / static_cast<double>(moe.num_groups);
  return std::min(reached, std::max(1.0, groups * nodes));
}

// One call, as if nothing were hidden and links reached their rate.
double call_seconds(const Job& job, CollectiveKind kind, int64_t bytes, Axis axis,
                    const Placements& placements) {
  const GroupPlacement& placement = placements[static_cast<size_t>(axis)];
  const bool crosses_once = job.stack.facts.dispatches_once && axis == Axis::ep &&
                            kind == CollectiveKind::all_to_all && bytes > 0 &&
                            !is_in_first_tier(placement);
  if (!crosses_once) return collective_seconds(kind, bytes, placement, job.cluster);
  const double nodes =
      static_cast<double>(placement.size) / static_cast<double>(placement.branches.front());
  return all_to_all_once_seconds(bytes, static_cast<double>(job.model.moe.top_k),
                                 nodes_of_token(job.model.moe, nodes), placement, job.cluster);
}

}  // namespace

int64_t seen_bytes(const Job& job, int64_t bytes) {
  const double share = job.stack.numbers.link_share;
  return share == 1 ? bytes : static_cast<int64_t>(static_cast<double>(bytes) / share);
}

double link_seconds(const Job& job, CollectiveKind kind, int64_t bytes, Axis axis,
                    const Placements& placements) {
  return call_seconds(job, kind, seen_bytes(job, bytes), axis, placements);
}

double wire_seconds(const Job& job, CollectiveKind kind, int64_t bytes, Axis axis,
                    const Placements& placements) {
  if (!hides_more(job) || bytes <= 0) return 0;
  return call_seconds(job, kind, bytes, axis, placements) -
         call_seconds(job, kind, 1, axis, placements);
}

double beside(double compute_s, double traffic_s, bool overlaps) {
  if (!overlaps) return compute_s + traffic_s;
  return std::max(compute_s, traffic_s) + kContention * std::min(compute_s, traffic_s);
}

double taken_share(const Job& job, Axis axis, const GroupPlacement& placement) {
  const auto all = static_cast<double>(job.cluster.accelerator.num_multiprocessors);
  if (all == 0 || placement.size <= 1 || !job.stack.facts.is_slowed_by_traffic) return 0;
  const bool is_inside = is_in_first_tier(placement);
  const CollectiveSettings& nccl = job.cluster.collectives;
  if (axis == Axis::ep && job.stack.facts.dispatches_once) return kDispatchMultiprocessors / all;
  if (is_inside) return static_cast<double>(nccl.channels) / all;
  const bool is_to_peer = axis == Axis::pp || axis == Axis::cp;
  return (is_to_peer ? kChannelsOfNetPeer : static_cast<double>(nccl.network_channels)) / all;
}

double overlap_s(double traffic_s, double compute_s, double taken) {
  return std::min(traffic_s, compute_s / (1 - taken));
}

Placements place_all(const Mesh& mesh, const Job& job) {
  Placements placements;
  for (int axis = 0; axis < kNumAxes; ++axis) {
    placements[static_cast<size_t>(axis)] =
        place(mesh, static_cast<Axis>(axis), job.model.num_kv_heads, job.cluster);
  }
  return placements;
}

const KnownLinks::Entry& KnownLinks::entry_of(const Job& job, const CollectiveWork& work,
                                              const Placements& placements) {
  for (const Entry& entry : entries_) {
    if (entry.kind == work.kind && entry.axis == work.axis && entry.bytes == work.bytes) {
      return entry;
    }
  }
  const double seconds = link_seconds(job, work.kind, work.bytes, work.axis, placements);
  const double wire_s = argosy::wire_seconds(job, work.kind, work.bytes, work.axis, placements);
  return entries_.emplace_back(Entry{work.kind, work.axis, work.bytes, seconds, wire_s});
}

double KnownLinks::seconds(const Job& job, const CollectiveWork& work,
                           const Placements& placements) {
  return entry_of(job, work, placements).seconds;
}

double KnownLinks::wire_seconds(const Job& job, const CollectiveWork& work,
                                const Placements& placements) {
  return entry_of(job, work, placements).wire_s;
}

double least_pass_s(const std::vector<CollectiveWork>& collectives, const Placements& placements,
                    const Job& job, KnownLinks& known) {
  if (!hides_more(job)) return 0;
  AxisSeconds seconds{};
  for (const CollectiveWork& work : collectives) {
    if (work.axis == Axis::cp && work.kind == CollectiveKind::recv) continue;
    seconds[static_cast<size_t>(work.axis)] +=
        static_cast<double>(work.count) * known.wire_seconds(job, work, placements);
  }
  return *std::max_element(seconds.begin(), seconds.end());
}

AxisSeconds exposed_seconds(const std::vector<CollectiveWork>& collectives, const Hiding& hiding,
                            const Placements& placements, const Job& job) {
  KnownLinks known;
  return exposed_seconds(collectives, hiding, placements, job, known);
}

AxisSeconds exposed_seconds(const std::vector<CollectiveWork>& collectives, const Hiding& hiding,
                            const Placements& placements, const Job& job, KnownLinks& known) {
  const StackFacts& facts = job.stack.facts;
  const double start_s = facts.is_own ? 0 : kCollectiveStartS;
  AxisSeconds seconds{};
  double ring_s = 0;
  for (const CollectiveWork& work : collectives) {
    const bool is_of_ring = work.axis == Axis::cp;
    if (is_of_ring && work.kind == CollectiveKind::recv) continue;
    double one_s = known.seconds(job, work, placements);
    if (one_s > 0) one_s += start_s;
    (is_of_ring && work.kind == CollectiveKind::send ? ring_s
                                                     : seconds[static_cast<size_t>(work.axis)]) +=
        static_cast<double>(work.count) * one_s;
  }
  const auto spared_s = [&](Axis axis, double traffic_s, double compute_s) {
    const double taken = taken_share(job, axis, placements[static_cast<size_t>(axis)]);
    return (1 - taken) * overlap_s(traffic_s, compute_s, taken);
  };
  double products_s = hiding.products_s;  // both axes travel beside the same products
  for (const Axis axis : {Axis::tp, Axis::etp}) {
    double& exposed_s = seconds[static_cast<size_t>(axis)];
    if (!is_in_first_tier(placements[static_cast<size_t>(axis)])) continue;
    const double hidden_s = spared_s(axis, facts.tensor_overlap * exposed_s, products_s);
    exposed_s -= hidden_s;
    products_s -= hidden_s;
  }
  double& expert_s = seconds[static_cast<size_t>(Axis::ep)];
  if (facts.overlaps_experts_in_nodes ||
      !is_in_first_tier(placements[static_cast<size_t>(Axis::ep)])) {
    expert_s -= spared_s(Axis::ep, facts.expert_overlap * expert_s, hiding.ops_s);
  }
  seconds[static_cast<size_t>(Axis::cp)] += ring_s - spared_s(Axis::cp, ring_s, hiding.ring_s);
  return seconds;
}

double host_op_seconds(const Job& job) {
  return job.stack.facts.is_own ? job.cluster.accelerator.host_launch_s
                                : job.stack.numbers.host_op_s;
}

double host_wait_s(const Job& job, double busy_s, double num_launches,
                   const std::vector<CollectiveWork>& collectives, const Placements& placements) {
  const double host_op_s = host_op_seconds(job);
  if (host_op_s <= 0 || job.stack.facts.captures_steps) return 0;
  for (const CollectiveWork& work : collectives) {
    if (placements[static_cast<size_t>(work.axis)].size <= 1) continue;
    if (work.kind != CollectiveKind::recv) num_launches += static_cast<double>(work.count);
  }
  return std::max(0.0, num_launches * host_op_s - busy_s);
}

}  // namespace argosy
