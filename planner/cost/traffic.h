// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Seconds of the collectives of a pass, what compute hides of them, and the host's floor under
// both.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "planner/cost/collective.h"
#include "planner/cost/job.h"
#include "planner/cost/layer_costs.h"

namespace argosy {

// Where the groups of every axis sit.
using Placements = std::array<GroupPlacement, kNumAxes>;
Placements place_all(const Mesh& mesh, const Job& job);

// Of a device's multiprocessors, what the kernels of traffic over this axis hold while it runs;
// pp: of messages between stages. 0 for devices that have none, and for stacks whose numbers hold
// it. Compute that traffic of t seconds runs beside takes taken_share() * t longer.
double taken_share(const Job& job, Axis axis, const GroupPlacement& placement);

// Seconds that traffic and compute go on beside each other, where each of them costs compute
// `taken` seconds: until the traffic ends, or the compute, which then takes
// compute_s / (1 - taken). The step is spared (1 - taken) of them.
double overlap_s(double traffic_s, double compute_s, double taken);

// Seconds of a layer's collectives that no compute hides, by axis, and what compute loses to those
// that it hides. Messages of the ring over cp travel while attention works on the keys that came
// before; a receive takes no time besides its send. The job's stack hides its share of tp, where
// NVLink joins the group, and of ep, as far as there is compute beside it (`hiding`).
using AxisSeconds = std::array<double, kNumAxes>;
AxisSeconds exposed_seconds(const std::vector<CollectiveWork>& collectives, const Hiding& hiding,
                            const Placements& placements, const Job& job);

// Remembers the seconds of one call of each collective, for one job and its placements: layers of
// all kinds call the same ones.
class KnownLinks {
 public:
  double seconds(const Job& job, const CollectiveWork& work, const Placements& placements);
  double wire_seconds(const Job& job, const CollectiveWork& work, const Placements& placements);

 private:
  struct Entry {
    CollectiveKind kind;
    Axis axis;
    int64_t bytes;
    double seconds, wire_s;
  };
  const Entry& entry_of(const Job& job, const CollectiveWork& work, const Placements& placements);

  std::vector<Entry> entries_;  // few
};
AxisSeconds exposed_seconds(const std::vector<CollectiveWork>& collectives, const Hiding& hiding,
                            const Placements& placements, const Job& job, KnownLinks& known);

// Of the job's stack, for each kernel, product and collective that the host starts; 0: no floor.
double host_op_seconds(const Job& job);

// Seconds that a pass of `busy_s`, exposed traffic included, waits for the host to launch it.
double host_wait_s(const Job& job, double busy_s, double num_launches,
                   const std::vector<CollectiveWork>& collectives, const Placements& placements);

// A link that reaches link_share of its rate takes the time of more bytes. A share above 1 is no
// rate: so much of the traffic is hidden in ways that the stack's facts do not name, which takes
// compute beside it (wire_seconds()).
int64_t seen_bytes(const Job& job, int64_t bytes);
inline bool hides_more(const Job& job) {
  return job.stack.numbers.link_share > 1;
}

// Seconds of one call, as the job's stack uses links.
double link_seconds(const Job& job, CollectiveKind kind, int64_t bytes, Axis axis,
                    const Placements& placements);
// Seconds for which its bytes hold them at their own rate, hidden or not: without latency. 0 unless
// the stack hides more than its facts say: then nothing else keeps a pass from being shorter.
double wire_seconds(const Job& job, CollectiveKind kind, int64_t bytes, Axis axis,
                    const Placements& placements);

// Seconds that a pass takes at least because its collectives hold the links of one of their axes so
// long (wire_seconds()).
double least_pass_s(const std::vector<CollectiveWork>& collectives, const Placements& placements,
                    const Job& job, KnownLinks& known);

// Seconds of compute and traffic, one after the other or side by side, where each slows the other.
double beside(double compute_s, double traffic_s, bool overlaps);

}  // namespace argosy
