// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/stage_time.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "planner/cost/step_pass.h"

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

// Ops and what is not hidden of traffic, or the host's floor.
double pass_seconds(const Job& job, double ops_s, const Hiding& hiding, double num_launches,
                    const std::vector<CollectiveWork>& collectives, const Placements& placements,
                    KnownLinks& known, double& communication_s) {
  const AxisSeconds exposed = exposed_seconds(collectives, hiding, placements, job, known);
  const double exposed_s = std::max(std::accumulate(exposed.begin(), exposed.end(), 0.0),
                                    least_pass_s(collectives, placements, job, known) - ops_s);
  communication_s += exposed_s;
  const double busy_s = ops_s + exposed_s;
  return busy_s + host_wait_s(job, busy_s, num_launches, collectives, placements);
}

// Other frameworks' ZeRO-3 gathers a layer before each pass; it and ZeRO-2 reduce its gradients in
// backward.
void add_sharded_traffic(const Job& job, const Candidate& candidate, const LayerElements& elements,
                         const Placements& placements, LayerPass& time) {
  const StackFacts& facts = job.stack.facts;
  struct {
    double seen_s = 0, wire_s = 0;
  } gather, reduce;
  const auto add = [&](CollectiveKind kind, int64_t bytes, Axis axis, auto& sum) {
    const auto calls = static_cast<double>(facts.calls_per_layer);
    const int64_t of_call = bytes / facts.calls_per_layer;
    sum.seen_s += calls * link_seconds(job, kind, of_call, axis, placements);
    sum.wire_s += calls * wire_seconds(job, kind, of_call, axis, placements);
  };
  for (size_t d = 0; d < kNumDomains; ++d) {
    const auto domain = static_cast<Domain>(d);
    const Axis axis = shard_axis(candidate.mesh, domain);
    const int64_t size = elements.layer[d].size + elements.table[d].size;
    if (candidate.zero_stage >= 3) {
      add(CollectiveKind::all_gather, size * size_in_bytes(compute_dtype(job.precision)), axis,
          gather);
    }
    if (!is_trainable(domain)) continue;
    add(CollectiveKind::reduce_scatter, size * gradient_wire_bytes(job), axis, reduce);
  }
  const double before_s = time.forward_s + time.backward_s;
  if (before_s <= 0) return;
  time.forward_s =
      std::max(gather.wire_s, beside(time.forward_s, gather.seen_s, facts.overlaps_parameters));
  time.backward_s =
      std::max(gather.wire_s + reduce.wire_s,
               beside(time.backward_s, gather.seen_s + reduce.seen_s, facts.overlaps_gradients));
  time.communication_s += time.forward_s + time.backward_s - before_s;
}

LayerPass time_layer(const Job& job, const Candidate& candidate, const LayerElements& elements,
                     const LayerCost& cost, const Placements& placements, KnownLinks& known) {
  LayerPass time;
  time.forward_s = pass_seconds(job, cost.forward_s, cost.forward_hiding, cost.forward_launches,
                                cost.forward_collectives, placements, known, time.communication_s);
  time.backward_s =
      pass_seconds(job, cost.backward_s, cost.backward_hiding, cost.backward_launches,
                   cost.backward_collectives, placements, known, time.communication_s);
  time.backward_weight_s = cost.backward_weight_s;
  if (candidate.zero_stage >= 2 && !job.stack.facts.is_own) {
    add_sharded_traffic(job, candidate, elements, placements, time);
  }
  return time;
}

void add(const LayerPass& pass, double count, StageTime& time) {
  StageDurations& d = time.durations;
  d.forward_s += count * pass.forward_s;
  d.backward_s += count * pass.backward_s;
  d.backward_weight_s += count * pass.backward_weight_s;
  time.communication_s += count * pass.communication_s;
  d.backward_input_s = d.backward_s - d.backward_weight_s;  // collectives are in it
}

// One micro-batch's activations to the next stage and gradients to the one before: at the end of
// the passes, or beside compute, which is slower for `taken` of the seconds (taken_share()) of what
// is sent and what arrives. A message takes as long in either direction.
void add_messages(double next_s, double previous_s, bool overlaps, double taken, StageTime& time) {
  StageDurations& d = time.durations;
  double forward_s = next_s, backward_s = previous_s;
  if (overlaps) {
    d.send_activation_s = next_s;
    d.send_gradient_s = previous_s;
    const double both_s = next_s + previous_s;
    forward_s = taken * overlap_s(both_s, d.forward_s, taken);
    backward_s = taken * overlap_s(both_s, d.backward_input_s, taken);
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

StageTimer::StageTimer(const Job& job, const Placements& placements)
    : job_(job), placements_(placements), straggler_(straggler_factor(job)) {}

const LayerPass& StageTimer::pass_of(size_t kind, const Candidate& candidate,
                                     const ElementTable& elements, const LayerCosts& costs,
                                     Passes& passes) const {
  std::optional<LayerPass>& known = passes.layers[kind];
  if (!known) {
    known = time_layer(job_, candidate, elements[kind], costs[kind], placements_, passes.links);
  }
  return *known;
}

const StepEnd& StageTimer::end_of(const Candidate& candidate, const StageLayers& layers,
                                  bool is_copy, bool is_tied, const ElementTable& elements) {
  // What ZeRO 2 and 3 send of each micro-batch.
  const int64_t m = candidate.zero_stage >= 2 ? num_microbatches(job_, candidate) : 0;
  const auto [known, is_new] =
      ends_.try_emplace({candidate.zero_stage, m, is_copy, is_tied, layers});
  if (is_new) {
    known->second =
        step_end(job_, candidate, stage_buckets(layers, elements, is_copy, is_tied), placements_);
  }
  return known->second;
}

std::vector<StageTime> StageTimer::times(const Candidate& candidate,
                                         const std::vector<StageLayers>& stages,
                                         const ElementTable& elements, const LayerCosts& costs) {
  const size_t last = stages.size() - 1;
  // Of the trainer's own traffic none is within the passes of a layer.
  const int zero_stage = job_.stack.facts.is_own ? 0 : candidate.zero_stage;
  Passes& passes = passes_[{candidate.micro_batch, candidate.recompute, zero_stage}];
  const auto rank_of = [&](size_t stage) {
    return pipeline_rank_of_stage(candidate.schedule, candidate.mesh.pp,
                                  static_cast<int64_t>(stage));
  };
  const bool has_copy = rank_of(0) != rank_of(last);
  std::vector<StageTime> times;
  times.reserve(stages.size());
  for (size_t stage = 0; stage <= last; ++stage) {
    if (stage > 1 && stage < last && stages[stage] == stages[stage - 1]) {
      times.push_back(times.back());
      continue;
    }
    const bool is_end = stage == 0 || stage == last;
    const bool is_tied = job_.model.needs_embedding_at_end() && is_end && has_copy;
    StageTime& time = times.emplace_back();
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
      if (stages[stage][kind] == 0) continue;
      add(pass_of(kind, candidate, elements, costs, passes),
          static_cast<double>(stages[stage][kind]), time);
    }
    time.step_communication_s = add_step_end(
        job_, candidate, end_of(candidate, stages[stage], is_tied && stage > 0, is_tied, elements),
        time.durations);
  }
  add_all_messages(candidate, times);
  if (straggler_ != 1) {
    for (StageTime& time : times) scale(time, straggler_);
  }
  return times;
}

// What hides a part of a message that no fact names is a pass at most.
void StageTimer::add_all_messages(const Candidate& candidate, std::vector<StageTime>& times) const {
  const GroupPlacement& pipeline = placements_[static_cast<size_t>(Axis::pp)];
  const int64_t bytes = boundary_bytes(job_, candidate);
  const double taken = taken_share(job_, Axis::pp, pipeline);
  const auto rank_of = [&candidate](size_t stage) {
    return pipeline_rank_of_stage(candidate.schedule, candidate.mesh.pp,
                                  static_cast<int64_t>(stage));
  };
  const auto send_s = [&](size_t stage, int64_t seen) {
    return pipeline_send_seconds(seen, candidate.mesh, rank_of(stage), rank_of(stage + 1), pipeline,
                                 job_.cluster);
  };
  double previous_s = 0;
  for (size_t stage = 0; stage < times.size(); ++stage) {
    double next_s = 0;
    if (stage + 1 < times.size()) {
      next_s = send_s(stage, seen_bytes(job_, bytes));
      if (hides_more(job_)) {
        next_s = std::max(next_s, send_s(stage, bytes) - times[stage].durations.forward_s);
      }
    }
    add_messages(next_s, previous_s, job_.stack.facts.overlaps_pipeline, taken, times[stage]);
    previous_s = next_s;
  }
}

std::vector<StageTime> stage_times(const Job& job, const Candidate& candidate,
                                   const std::vector<StageLayers>& stages,
                                   const ElementTable& elements, const LayerCosts& costs,
                                   const Placements& placements) {
  return StageTimer(job, placements).times(candidate, stages, elements, costs);
}

std::array<StageTime, kNumLayerKinds> passes_of_kinds(const Job& job, const Candidate& candidate,
                                                      const ElementTable& elements,
                                                      const LayerCosts& costs,
                                                      const Placements& placements) {
  const double straggler = straggler_factor(job);
  std::array<StageTime, kNumLayerKinds> times;
  KnownLinks known;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    add(time_layer(job, candidate, elements[kind], costs[kind], placements, known), 1, times[kind]);
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
