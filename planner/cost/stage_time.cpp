// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/stage_time.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "planner/cost/compute.h"
#include "planner/cost/offload.h"
#include "planner/cost/state_memory.h"

namespace argosy {

namespace {

// Steps wait for the slowest of all nodes: per doubling of their number (SimuMax fits 0.09 sqrt(x)
// x / (x+1) of x doublings where nothing is overlapped; with overlap we see less).
constexpr double kStragglerPerDoubling = 0.004;

// Bytes of the tensor that goes from stage to stage: (s, H) of the rank. Megatron-LM scatters it
// over tp for the wire, with or without sequence parallelism.
int64_t boundary_bytes(const Job& job, const Candidate& candidate) {
  const int64_t tokens = candidate.micro_batch * job.seq_len / candidate.mesh.cp;
  const bool is_scattered = candidate.sequence_parallel || !job.stack.facts.is_own;
  const int64_t rows = is_scattered ? tokens / candidate.mesh.tp : tokens;
  return rows * job.model.hidden_size * size_in_bytes(compute_dtype(job.precision));
}

// One layer of a kind, one micro-batch.
struct KindTime {
  double forward_s = 0, backward_s = 0, backward_weight_s = 0;
  double communication_s = 0;  // within the first two
};
using KindTimes = std::array<KindTime, kNumLayerKinds>;

// Ops and what is not hidden of traffic, or the host's floor.
double pass_seconds(const Job& job, double ops_s, const Hiding& hiding, double num_launches,
                    const std::vector<CollectiveWork>& collectives, const Placements& placements,
                    KnownLinks& known, double& communication_s) {
  const AxisSeconds exposed = exposed_seconds(collectives, hiding, placements, job, known);
  const double exposed_s = std::accumulate(exposed.begin(), exposed.end(), 0.0);
  communication_s += exposed_s;
  const double busy_s = ops_s + exposed_s;
  return busy_s + host_wait_s(job, busy_s, num_launches, collectives, placements);
}

// Other frameworks' ZeRO-3 gathers a layer before each pass; it and ZeRO-2 reduce its gradients in
// backward.
void add_sharded_traffic(const Job& job, const Candidate& candidate, const LayerElements& elements,
                         const Placements& placements, KindTime& time) {
  const StackFacts& facts = job.stack.facts;
  double gather_s = 0, reduce_s = 0;
  const auto seconds = [&](CollectiveKind kind, int64_t bytes, Axis axis) {
    return static_cast<double>(facts.calls_per_layer) *
           link_seconds(job, kind, bytes / facts.calls_per_layer, axis, placements);
  };
  for (size_t d = 0; d < kNumDomains; ++d) {
    const auto domain = static_cast<Domain>(d);
    const Axis axis = shard_axis(candidate.mesh, domain);
    const int64_t size = elements.layer[d].size + elements.table[d].size;
    if (candidate.zero_stage >= 3) {
      gather_s += seconds(CollectiveKind::all_gather,
                          size * size_in_bytes(compute_dtype(job.precision)), axis);
    }
    if (!is_trainable(domain)) continue;
    reduce_s += seconds(CollectiveKind::reduce_scatter, size * gradient_wire_bytes(job), axis);
  }
  const double before_s = time.forward_s + time.backward_s;
  if (before_s <= 0) return;
  time.forward_s = beside(time.forward_s, gather_s, facts.overlaps_parameters);
  time.backward_s = beside(time.backward_s, gather_s + reduce_s, facts.overlaps_gradients);
  time.communication_s += time.forward_s + time.backward_s - before_s;
}

// 0 for kinds that `layers` has none of.
KindTimes time_kinds(const Job& job, const Candidate& candidate, const StageLayers& layers,
                     const ElementTable& elements, const LayerCosts& costs,
                     const Placements& placements) {
  KindTimes times;
  KnownLinks known;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    if (layers[kind] == 0) continue;
    const LayerCost& cost = costs[kind];
    KindTime& time = times[kind];
    time.forward_s =
        pass_seconds(job, cost.forward_s, cost.forward_hiding, cost.forward_launches,
                     cost.forward_collectives, placements, known, time.communication_s);
    time.backward_s =
        pass_seconds(job, cost.backward_s, cost.backward_hiding, cost.backward_launches,
                     cost.backward_collectives, placements, known, time.communication_s);
    time.backward_weight_s = cost.backward_weight_s;
    if (candidate.zero_stage >= 2 && !job.stack.facts.is_own) {
      add_sharded_traffic(job, candidate, elements[kind], placements, time);
    }
  }
  return times;
}

StageTime time_stage(const StageLayers& layers, const KindTimes& kinds) {
  StageTime time;
  StageDurations& d = time.durations;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    const double count = static_cast<double>(layers[kind]);
    d.forward_s += count * kinds[kind].forward_s;
    d.backward_s += count * kinds[kind].backward_s;
    d.backward_weight_s += count * kinds[kind].backward_weight_s;
    time.communication_s += count * kinds[kind].communication_s;
  }
  d.backward_input_s = d.backward_s - d.backward_weight_s;  // collectives are in it
  return time;
}

// Collectives of a step pass: seconds of all, and of one of them.
struct StepTraffic {
  double reduce_s = 0, sum_s = 0, gather_s = 0;
  double one_reduce_s = 0, one_gather_s = 0;
};

// Sums over what is no data-parallel axis wait for the reductions over it; other frameworks' are
// not told apart.
StepTraffic step_traffic(const Job& job, const Candidate& candidate, const Pass& pass,
                         const Placements& placements) {
  StepTraffic t;
  const Axis data[] = {shard_axis(candidate.mesh, Domain::dense),
                       shard_axis(candidate.mesh, Domain::expert)};
  for (const CollectiveWork& work : pass.collectives) {
    const double one_s = link_seconds(job, work.kind, work.bytes, work.axis, placements);
    const double seconds = static_cast<double>(work.count) * one_s;
    const bool is_over_data = work.axis == data[0] || work.axis == data[1];
    if (work.kind == CollectiveKind::all_gather) {
      t.gather_s += seconds;
      t.one_gather_s = std::max(t.one_gather_s, one_s);
    } else if (is_over_data || !job.stack.facts.is_own) {
      t.reduce_s += seconds;
      t.one_reduce_s = std::max(t.one_reduce_s, one_s);
    } else {
      t.sum_s += seconds;
    }
  }
  return t;
}

// What traffic adds to the compute that it runs beside.
double added_s(double traffic_s, double compute_s) {
  return beside(compute_s, traffic_s, true) - compute_s;
}

// The trainer's: on a GPU buckets are reduced beside the backward pass of the layers that follow,
// with ZeRO 2 and 3 in every micro-batch, and with ZeRO 3 gathered a layer ahead; the last one and
// the first one have nothing beside them. Other gathers follow the update. Cores of a CPU move the
// bytes themselves: nothing is hidden there.
void add_own_traffic(const Job& job, const Candidate& candidate, const StepTraffic& t,
                     StageDurations& d) {
  d.reduce_s += t.sum_s;
  if (job.cluster.device != Device::cuda) {
    d.reduce_s += t.reduce_s;
    d.optimizer_s += t.gather_s;
    return;
  }
  const double m = static_cast<double>(num_microbatches(job, candidate));
  double backward_s = (candidate.zero_stage >= 2 ? m : 1) * d.backward_s;
  if (candidate.zero_stage >= 3) {
    const double passes_s = m * (d.forward_s + d.backward_s);
    d.optimizer_s += std::max(added_s(t.gather_s, passes_s), t.one_gather_s);
    backward_s = std::max(0.0, backward_s - t.gather_s / 2);  // half of the gathers are there too
  } else {
    d.optimizer_s += t.gather_s;
  }
  d.reduce_s += std::max(added_s(t.reduce_s, backward_s), t.one_reduce_s);
}

// Gathering the updated parameters belongs to the optimizer, all other collectives to the
// reduction of gradients. What a stack hides runs beside the last backward pass, or beside the
// first forward pass of the next step.
void time_step_pass(const Job& job, const Candidate& candidate, const Pass& pass,
                    const Placements& placements, StageTime& time) {
  StageDurations& d = time.durations;
  const StackFacts& facts = job.stack.facts;
  const StepTraffic t = step_traffic(job, candidate, pass, placements);
  if (facts.is_own) {
    add_own_traffic(job, candidate, t, d);
  } else {
    d.reduce_s += facts.overlaps_gradients ? added_s(t.reduce_s, d.backward_s) : t.reduce_s;
    d.optimizer_s += facts.overlaps_parameters ? added_s(t.gather_s, d.forward_s) : t.gather_s;
  }
  time.step_communication_s += d.reduce_s + d.optimizer_s;
  d.optimizer_s += compute_seconds(pass, job.cluster.accelerator, job.precision) /
                   job.stack.numbers.memory_share;
}

// Seconds of one micro-batch's messages, activations and gradients: those that a stage sends and
// those that arrive.
struct Messages {
  double activation_s = 0, gradient_s = 0;
  double activation_in_s = 0, gradient_in_s = 0;
};

// Between stages: at the end of the passes, or beside compute, which is slower for `taken` of their
// seconds (taken_share()), on both sides.
void add_messages(const Messages& messages, bool overlaps, double taken, StageTime& time) {
  StageDurations& d = time.durations;
  double forward_s = messages.activation_s, backward_s = messages.gradient_s;
  if (overlaps) {
    d.send_activation_s = messages.activation_s;
    d.send_gradient_s = messages.gradient_s;
    forward_s =
        taken * overlap_s(messages.activation_s + messages.activation_in_s, d.forward_s, taken);
    backward_s =
        taken * overlap_s(messages.gradient_s + messages.gradient_in_s, d.backward_input_s, taken);
  }
  d.forward_s += forward_s;
  d.backward_s += backward_s;
  d.backward_input_s += backward_s;
  time.message_s += forward_s + backward_s;
  time.communication_s += forward_s + backward_s;
}

// Everything in it.
void scale(StageTime& time, double factor) {
  StageDurations& d = time.durations;
  for (double* seconds : {&d.forward_s, &d.backward_s, &d.backward_input_s, &d.backward_weight_s,
                          &d.send_activation_s, &d.send_gradient_s, &d.reduce_s, &d.optimizer_s,
                          &time.communication_s, &time.message_s, &time.step_communication_s}) {
    *seconds *= factor;
  }
}

}  // namespace

double straggler_factor(const Job& job) {
  const double nodes = static_cast<double>(job.num_devices()) /
                       static_cast<double>(std::max<int64_t>(1, job.cluster.devices_per_node));
  return 1 + kStragglerPerDoubling * std::log2(std::max(1.0, nodes));
}

std::vector<StageTime> stage_times(const Job& job, const Candidate& candidate,
                                   const std::vector<StageLayers>& stages,
                                   const ElementTable& elements, const LayerCosts& costs,
                                   const Placements& placements) {
  const size_t last = stages.size() - 1;
  const StackFacts& facts = job.stack.facts;
  const int64_t message_bytes = seen_bytes(job, boundary_bytes(job, candidate));
  StageLayers all{};
  for (const StageLayers& layers : stages) {
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) all[kind] += layers[kind];
  }
  const KindTimes kinds = time_kinds(job, candidate, all, elements, costs, placements);
  const double straggler = straggler_factor(job);
  const auto rank_of = [&](size_t stage) {
    return pipeline_rank_of_stage(candidate.schedule, candidate.mesh.pp,
                                  static_cast<int64_t>(stage));
  };
  const auto send_s = [&](size_t from, size_t to) {
    return pipeline_send_seconds(message_bytes, candidate.mesh, rank_of(from), rank_of(to),
                                 placements[static_cast<size_t>(Axis::pp)], job.cluster);
  };
  const bool has_copy = rank_of(0) != rank_of(last);
  std::vector<StageTime> times;
  for (size_t stage = 0; stage <= last; ++stage) {
    if (stage > 1 && stage < last && stages[stage] == stages[stage - 1]) {
      times.push_back(times.back());
      continue;
    }
    const bool is_end = stage == 0 || stage == last;
    const bool is_tied = job.model.needs_embedding_at_end() && is_end && has_copy;
    StageTime time = time_stage(stages[stage], kinds);
    const std::vector<StageBucket> buckets =
        stage_buckets(stages[stage], elements, is_tied && stage > 0, is_tied);
    time_step_pass(job, candidate, step_pass(job, candidate, buckets), placements, time);
    time.durations.optimizer_s += offload_seconds(job, candidate, buckets);
    times.push_back(time);
  }
  const double taken = taken_share(job, Axis::pp, placements[static_cast<size_t>(Axis::pp)]);
  for (size_t stage = 0; stage <= last; ++stage) {
    Messages messages;
    if (stage < last) {
      messages.activation_s = send_s(stage, stage + 1);
      messages.gradient_in_s = send_s(stage + 1, stage);
    }
    if (stage > 0) {
      messages.gradient_s = send_s(stage, stage - 1);
      messages.activation_in_s = send_s(stage - 1, stage);
    }
    add_messages(messages, facts.overlaps_pipeline, taken, times[stage]);
    if (straggler != 1) scale(times[stage], straggler);
  }
  return times;
}

std::array<StageTime, kNumLayerKinds> passes_of_kinds(const Job& job, const Candidate& candidate,
                                                      const ElementTable& elements,
                                                      const LayerCosts& costs,
                                                      const Placements& placements) {
  StageLayers all;
  all.fill(1);
  const KindTimes kinds = time_kinds(job, candidate, all, elements, costs, placements);
  const double straggler = straggler_factor(job);
  std::array<StageTime, kNumLayerKinds> times;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    StageLayers layers{};
    layers[kind] = 1;
    times[kind] = time_stage(layers, kinds);
    if (straggler != 1) scale(times[kind], straggler);
  }
  return times;
}

StepUse step_use(const std::vector<StageTime>& times, int64_t num_microbatches, int64_t num_ranks,
                 double step_s) {
  const double m = static_cast<double>(num_microbatches), ranks = static_cast<double>(num_ranks);
  double busy_s = 0, communication_s = 0, message_s = 0;
  for (const StageTime& time : times) {
    const StageDurations& d = time.durations;
    busy_s += m * (d.forward_s + d.backward_s) + d.reduce_s + d.optimizer_s;
    communication_s += m * time.communication_s + time.step_communication_s;
    message_s += m * time.message_s;
  }
  return {step_s, (busy_s - communication_s) / ranks, communication_s / ranks, message_s / ranks};
}

}  // namespace argosy
