// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/stage_time.h"

#include <algorithm>
#include <numeric>

#include "planner/cost/compute.h"

namespace argosy {

namespace {

double exposed_sum(const std::vector<CollectiveWork>& collectives, double hiding_s,
                   const Placements& placements, const ClusterSpec& cluster) {
  const AxisSeconds seconds = exposed_seconds(collectives, hiding_s, placements, cluster);
  return std::accumulate(seconds.begin(), seconds.end(), 0.0);
}

// Bytes of the tensor that goes from stage to stage: (s, H) of the rank.
int64_t boundary_bytes(const Job& job, const Candidate& candidate) {
  const int64_t tokens = candidate.micro_batch * job.seq_len / candidate.mesh.cp;
  const int64_t rows = candidate.sequence_parallel ? tokens / candidate.mesh.tp : tokens;
  return rows * job.model.hidden_size * size_in_bytes(compute_dtype(job.precision));
}

// Bytes that the update moves for an owned element: gradient read, state read and written, weight
// written, and read where no master stands for it.
int64_t update_bytes_per_element(const Job& job) {
  const int64_t weight = size_in_bytes(compute_dtype(job.precision));
  const int64_t read_weight = has_master_weights(job.precision) ? 0 : weight;
  return size_in_bytes(gradient_dtype(job.precision)) + weight + read_weight +
         2 * state_bytes_per_element(job);
}

void add(Pass& pass, CollectiveKind kind, Axis axis, int64_t bytes, int64_t count = 1) {
  if (bytes > 0) pass.collectives.push_back({kind, axis, bytes, count});
}

// Sums of the shards of the first rank, where tensors that are summed stand in front.
void add_partial_sums(const Job& job, const Candidate& candidate,
                      const std::vector<StageBucket>& buckets, Domain domain, Pass& pass) {
  int64_t num_tp = 0, num_kv = 0, num_tied = 0;
  for (const StageBucket& bucket : buckets) {
    if (bucket.domain != domain) continue;
    const int64_t shard = bucket.shard_elements(candidate);
    const int64_t tp = std::min(shard, bucket.elements.tp_summed);
    num_tp += bucket.count * tp;
    num_kv += bucket.count * std::min(shard - tp, bucket.elements.kv_summed);
    if (bucket.is_tied_table) num_tied += bucket.count * shard;
  }
  const int64_t gradient = size_in_bytes(gradient_dtype(job.precision));
  add(pass, CollectiveKind::all_reduce, tensor_axis(domain), num_tp * gradient);
  add(pass, CollectiveKind::all_reduce, Axis::kv_replica, num_kv * gradient);
  add(pass, CollectiveKind::all_reduce, Axis::embedding, num_tied * gradient);
}

StageTime time_stage(const Job& job, const StageLayers& layers, const LayerCosts& costs,
                     const Placements& placements) {
  StageTime time;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    if (layers[kind] == 0) continue;
    const double count = static_cast<double>(layers[kind]);
    const LayerCost& cost = costs[kind];
    const double forward_s = count * exposed_sum(cost.forward_collectives, cost.forward_hiding_s,
                                                 placements, job.cluster);
    const double backward_s = count * exposed_sum(cost.backward_collectives, cost.backward_hiding_s,
                                                  placements, job.cluster);
    time.durations.forward_s += count * cost.forward_s + forward_s;
    time.durations.backward_s += count * cost.backward_s + backward_s;
    time.durations.backward_weight_s += count * cost.backward_weight_s;
    time.communication_s += forward_s + backward_s;
  }
  time.durations.backward_input_s =
      time.durations.backward_s - time.durations.backward_weight_s;  // collectives are in it
  return time;
}

// Gathering the updated parameters belongs to the optimizer, all other collectives to the
// reduction of gradients.
void time_step_pass(const Job& job, const Pass& pass, const Placements& placements,
                    StageTime& time) {
  for (const CollectiveWork& work : pass.collectives) {
    const double seconds =
        static_cast<double>(work.count) *
        collective_seconds(work.kind, work.bytes, placements[static_cast<size_t>(work.axis)],
                           job.cluster);
    (work.kind == CollectiveKind::all_gather ? time.durations.optimizer_s
                                             : time.durations.reduce_s) += seconds;
    time.step_communication_s += seconds;
  }
  time.durations.optimizer_s += compute_seconds(pass, job.cluster.accelerator, job.precision);
}

}  // namespace

AxisSeconds exposed_seconds(const std::vector<CollectiveWork>& collectives, double hiding_s,
                            const Placements& placements, const ClusterSpec& cluster) {
  AxisSeconds seconds{};
  double ring_s = 0;
  for (const CollectiveWork& work : collectives) {
    const bool is_of_ring = work.axis == Axis::cp;
    if (is_of_ring && work.kind == CollectiveKind::recv) continue;
    const auto axis = static_cast<size_t>(work.axis);
    (is_of_ring && work.kind == CollectiveKind::send ? ring_s : seconds[axis]) +=
        static_cast<double>(work.count) *
        collective_seconds(work.kind, work.bytes, placements[axis], cluster);
  }
  seconds[static_cast<size_t>(Axis::cp)] += std::max(0.0, ring_s - hiding_s);
  return seconds;
}

Placements place_all(const Mesh& mesh, const Job& job) {
  Placements placements;
  for (int axis = 0; axis < kNumAxes; ++axis) {
    placements[static_cast<size_t>(axis)] =
        place(mesh, static_cast<Axis>(axis), job.model.num_kv_heads, job.cluster);
  }
  return placements;
}

Pass step_pass(const Job& job, const Candidate& candidate,
               const std::vector<StageBucket>& buckets) {
  const int zero_stage = candidate.zero_stage;
  const int64_t m = num_microbatches(job, candidate);
  std::array<int64_t, kNumDomains> replicas{};  // elements that the holders of a shard sum
  Pass pass, update;
  for (const StageBucket& bucket : buckets) {
    const Axis axis = shard_axis(candidate.mesh, bucket.domain);
    if (is_trainable(bucket.domain)) {
      replicas[static_cast<size_t>(bucket.domain)] +=
          bucket.count * bucket.shard_elements(candidate);
      add(pass, zero_stage >= 1 ? CollectiveKind::reduce_scatter : CollectiveKind::all_reduce, axis,
          bucket.elements.size * size_in_bytes(gradient_dtype(job.precision)),
          bucket.count * (zero_stage >= 2 ? m * bucket.gradient_uses : 1));
      update.ops.push_back({OpKind::memory, 0,
                            bucket.shard_elements(candidate) * update_bytes_per_element(job),
                            bucket.count});
    }
    if (zero_stage >= 3 || (zero_stage >= 1 && is_trainable(bucket.domain))) {
      add(update, CollectiveKind::all_gather, axis,
          bucket.elements.size * size_in_bytes(compute_dtype(job.precision)),
          bucket.count * (zero_stage >= 3 ? m * bucket.value_uses : 1));
    }
  }
  for (const Domain domain : {Domain::dense, Domain::expert}) {
    if (degree(candidate.mesh, replica_axis(domain)) > 1)
      add(pass, CollectiveKind::all_reduce, replica_axis(domain),
          replicas[static_cast<size_t>(domain)] * size_in_bytes(gradient_dtype(job.precision)));
    add_partial_sums(job, candidate, buckets, domain, pass);
  }
  pass.ops.insert(pass.ops.end(), update.ops.begin(), update.ops.end());
  pass.collectives.insert(pass.collectives.end(), update.collectives.begin(),
                          update.collectives.end());
  return pass;
}

std::vector<StageTime> stage_times(const Job& job, const Candidate& candidate,
                                   const std::vector<StageLayers>& stages,
                                   const ElementTable& elements, const LayerCosts& costs,
                                   const Placements& placements) {
  const size_t last = stages.size() - 1;
  const double send_s = collective_seconds(CollectiveKind::send, boundary_bytes(job, candidate),
                                           placements[static_cast<size_t>(Axis::pp)], job.cluster);
  const auto rank_of = [&](size_t stage) {
    return pipeline_rank_of_stage(candidate.schedule, candidate.mesh.pp,
                                  static_cast<int64_t>(stage));
  };
  const bool has_copy = rank_of(0) != rank_of(last);
  std::vector<StageTime> times;
  for (size_t stage = 0; stage <= last; ++stage) {
    if (stage > 1 && stage < last && stages[stage] == stages[stage - 1]) {
      times.push_back(times.back());
      continue;
    }
    const bool is_end = stage == 0 || stage == last;
    const bool is_tied = job.model.tied_head && is_end && has_copy;
    StageTime time = time_stage(job, stages[stage], costs, placements);
    const std::vector<StageBucket> buckets =
        stage_buckets(stages[stage], elements, is_tied && stage > 0, is_tied);
    time_step_pass(job, step_pass(job, candidate, buckets), placements, time);
    time.durations.send_activation_s = stage < last ? send_s : 0;
    time.durations.send_gradient_s = stage > 0 ? send_s : 0;
    times.push_back(time);
  }
  return times;
}

StepUse step_use(const std::vector<StageTime>& times, int64_t num_microbatches, int64_t num_ranks,
                 double step_s) {
  const double m = static_cast<double>(num_microbatches), ranks = static_cast<double>(num_ranks);
  double busy_s = 0, communication_s = 0;
  for (const StageTime& time : times) {
    const StageDurations& d = time.durations;
    busy_s += m * (d.forward_s + d.backward_s) + d.reduce_s + d.optimizer_s;
    communication_s += m * time.communication_s + time.step_communication_s;
  }
  return {step_s, (busy_s - communication_s) / ranks, communication_s / ranks};
}

}  // namespace argosy
