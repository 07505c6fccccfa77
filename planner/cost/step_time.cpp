// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/step_time.h"

#include <algorithm>

#include "planner/cost/compute.h"
#include "planner/cost/offload.h"
#include "planner/cost/step_pass.h"

namespace argosy {

namespace {

// Sums over what is no data-parallel axis wait for the reductions over it; other frameworks' are
// not told apart.
void add_traffic(const Job& job, const Candidate& candidate, const Pass& pass,
                 const Placements& placements, StepEnd& end) {
  const Axis data[] = {shard_axis(candidate.mesh, Domain::dense),
                       shard_axis(candidate.mesh, Domain::expert)};
  for (const CollectiveWork& work : pass.collectives) {
    const double one_s = link_seconds(job, work.kind, work.bytes, work.axis, placements);
    const double count = static_cast<double>(work.count), seconds = count * one_s;
    const double wire_s = count * wire_seconds(job, work.kind, work.bytes, work.axis, placements);
    const bool is_over_data = work.axis == data[0] || work.axis == data[1];
    if (work.kind == CollectiveKind::all_gather) {
      end.gather_s += seconds;
      end.wire_gather_s += wire_s;
      end.one_gather_s = std::max(end.one_gather_s, one_s);
    } else if (is_over_data || !job.stack.facts.is_own) {
      end.reduce_s += seconds;
      end.wire_reduce_s += wire_s;
      end.one_reduce_s = std::max(end.one_reduce_s, one_s);
    } else {
      end.sum_s += seconds;
    }
  }
}

// What traffic adds to the compute that it runs beside.
double added_s(double traffic_s, double compute_s) {
  return beside(compute_s, traffic_s, true) - compute_s;
}

// The trainer's: on a GPU buckets are reduced beside the backward pass of the layers that follow,
// with ZeRO 2 and 3 in every micro-batch, and with ZeRO 3 gathered a layer ahead; the last one and
// the first one have nothing beside them. Other gathers follow the update. Cores of a CPU move the
// bytes themselves: nothing is hidden there.
void add_own_traffic(const Job& job, const Candidate& candidate, const StepEnd& end,
                     StageDurations& d) {
  d.reduce_s += end.sum_s;
  if (job.cluster.device != Device::cuda) {
    d.reduce_s += end.reduce_s;
    d.optimizer_s += end.gather_s;
    return;
  }
  const double m = static_cast<double>(num_microbatches(job, candidate));
  double backward_s = (candidate.zero_stage >= 2 ? m : 1) * d.backward_s;
  if (candidate.zero_stage >= 3) {
    const double passes_s = m * (d.forward_s + d.backward_s);
    d.optimizer_s += std::max(added_s(end.gather_s, passes_s), end.one_gather_s);
    backward_s = std::max(0.0, backward_s - end.gather_s / 2);  // half of the gathers are there too
  } else {
    d.optimizer_s += end.gather_s;
  }
  d.reduce_s += std::max(added_s(end.reduce_s, backward_s), end.one_reduce_s);
}

}  // namespace

StepEnd step_end(const Job& job, const Candidate& candidate,
                 const std::vector<StageBucket>& buckets, const Placements& placements) {
  StepEnd end;
  const Pass pass = step_pass(job, candidate, buckets);
  add_traffic(job, candidate, pass, placements, end);
  end.update_s = compute_seconds(pass, job.cluster.accelerator, job.precision) /
                 job.stack.numbers.memory_share;
  end.offload_s = offload_seconds(job, candidate, buckets);
  return end;
}

double add_step_end(const Job& job, const Candidate& candidate, const StepEnd& end,
                    StageDurations& d) {
  const StackFacts& facts = job.stack.facts;
  if (facts.is_own) {
    add_own_traffic(job, candidate, end, d);
  } else {
    const double reduce_s =
        facts.overlaps_gradients ? added_s(end.reduce_s, d.backward_s) : end.reduce_s;
    const double gather_s =
        facts.overlaps_parameters ? added_s(end.gather_s, d.forward_s) : end.gather_s;
    // What is hidden is beside one pass at most, or beside as many as other stages of the rank
    // have before the next one is due.
    const double passes = candidate.virtual_stages > 1 ? static_cast<double>(candidate.mesh.pp) : 1;
    d.reduce_s += std::max(reduce_s, end.wire_reduce_s - passes * d.backward_s);
    d.optimizer_s += std::max(gather_s, end.wire_gather_s - passes * d.forward_s);
  }
  const double communication_s = d.reduce_s + d.optimizer_s;
  d.optimizer_s += end.update_s;
  d.optimizer_s += end.offload_s;
  return communication_s;
}

}  // namespace argosy
