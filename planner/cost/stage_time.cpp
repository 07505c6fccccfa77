// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/stage_time.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "planner/cost/compute.h"
#include "planner/cost/offload.h"

namespace argosy {

namespace {

// Compute and traffic that run side by side take memory bandwidth and multiprocessors from each
// other: the shorter one slows the longer by this share (Galvatron measures 1.1 to 1.3 for both).
constexpr double kContention = 0.15;
// Steps wait for the slowest of all nodes: per doubling of their number (SimuMax fits 0.09 sqrt(x)
// x / (x+1) of x doublings where nothing is overlapped; with overlap we see less).
constexpr double kStragglerPerDoubling = 0.004;
// Until all ranks of a group have started the kernel of a collective of another framework: an
// estimate.
constexpr double kCollectiveStartS = 15e-6;
// Megatron-LM's default size of a gradient bucket, at least so many that latency does not dominate.
constexpr double kBucketElements = 40e6, kBucketElementsPerRank = 1e6;

// A link that reaches `link_share` of its rate takes the time of more bytes.
int64_t seen_bytes(const Job& job, int64_t bytes) {
  const double share = job.stack.numbers.link_share;
  return share == 1 ? bytes : static_cast<int64_t>(static_cast<double>(bytes) / share);
}

double link_seconds(const Job& job, CollectiveKind kind, int64_t bytes, Axis axis,
                    const Placements& placements) {
  return collective_seconds(kind, seen_bytes(job, bytes), placements[static_cast<size_t>(axis)],
                            job.cluster);
}

// Frameworks cut products and their traffic into parts through the memory that NVLink shares
// (Transformer Engine's user buffers): not between nodes.
bool is_in_first_tier(const GroupPlacement& placement) {
  for (size_t tier = 1; tier < placement.branches.size(); ++tier) {
    if (placement.branches[tier] > 1) return false;
  }
  return true;
}

double beside(double compute_s, double traffic_s, bool overlaps) {
  if (!overlaps) return compute_s + traffic_s;
  return std::max(compute_s, traffic_s) + kContention * std::min(compute_s, traffic_s);
}

// Bytes of the tensor that goes from stage to stage: (s, H) of the rank. Megatron-LM scatters it
// over tp for the wire, with or without sequence parallelism.
int64_t boundary_bytes(const Job& job, const Candidate& candidate) {
  const int64_t tokens = candidate.micro_batch * job.seq_len / candidate.mesh.cp;
  const bool is_scattered = candidate.sequence_parallel || !job.stack.facts.is_own;
  const int64_t rows = is_scattered ? tokens / candidate.mesh.tp : tokens;
  return rows * job.model.hidden_size * size_in_bytes(compute_dtype(job.precision));
}

int64_t gradient_wire_bytes(const Job& job) {
  const int64_t bytes = job.stack.facts.gradient_bytes;
  return bytes > 0 ? bytes : size_in_bytes(gradient_dtype(job.precision));
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
  const int64_t gradient = gradient_wire_bytes(job);
  add(pass, CollectiveKind::all_reduce, tensor_axis(domain), num_tp * gradient);
  add(pass, CollectiveKind::all_reduce, Axis::kv_replica, num_kv * gradient);
  add(pass, CollectiveKind::all_reduce, Axis::embedding, num_tied * gradient);
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

// Gathering the updated parameters belongs to the optimizer, all other collectives to the
// reduction of gradients. What a stack hides runs beside the last backward pass, or beside the
// first forward pass of the next step.
void time_step_pass(const Job& job, const Pass& pass, const Placements& placements,
                    StageTime& time) {
  double gather_s = 0, reduce_s = 0;
  for (const CollectiveWork& work : pass.collectives) {
    const double seconds = static_cast<double>(work.count) *
                           link_seconds(job, work.kind, work.bytes, work.axis, placements);
    (work.kind == CollectiveKind::all_gather ? gather_s : reduce_s) += seconds;
  }
  StageDurations& d = time.durations;
  const StackFacts& facts = job.stack.facts;
  const auto exposed = [](double traffic_s, double compute_s, bool overlaps) {
    return overlaps ? beside(compute_s, traffic_s, true) - compute_s : traffic_s;
  };
  d.reduce_s += exposed(reduce_s, d.backward_s, facts.overlaps_gradients);
  d.optimizer_s += exposed(gather_s, d.forward_s, facts.overlaps_parameters);
  time.step_communication_s += d.reduce_s + d.optimizer_s;
  d.optimizer_s += compute_seconds(pass, job.cluster.accelerator, job.precision) /
                   job.stack.numbers.memory_share;
}

// Collectives of one kind and axis, and the ops of the update, as other frameworks call them: the
// former in buckets of some size, the latter at once.
Pass in_buckets(const Pass& pass, const Job& job, const Candidate& candidate) {
  const double ranks = static_cast<double>(candidate.mesh.dp * candidate.mesh.cp);
  const double bucket_elements = std::max(kBucketElements, kBucketElementsPerRank * ranks);
  Pass merged;
  OpWork update;
  for (const OpWork& op : pass.ops) update.bytes += op.bytes * op.count;
  merged.ops.push_back(update);
  for (const CollectiveWork& work : pass.collectives) {
    const auto same = [&work](const CollectiveWork& w) {
      return w.kind == work.kind && w.axis == work.axis;
    };
    const auto found = std::find_if(merged.collectives.begin(), merged.collectives.end(), same);
    if (found != merged.collectives.end()) {
      found->bytes += work.bytes * work.count;
    } else {
      merged.collectives.push_back({work.kind, work.axis, work.bytes * work.count, 1});
    }
  }
  for (CollectiveWork& work : merged.collectives) {
    const int64_t element = work.kind == CollectiveKind::all_gather
                                ? size_in_bytes(compute_dtype(job.precision))
                                : gradient_wire_bytes(job);
    const int64_t elements = work.bytes / element;
    work.count =
        std::max<int64_t>(1, std::llround(static_cast<double>(elements) / bucket_elements));
    work.bytes /= work.count;
  }
  return merged;
}

// Between stages: beside compute, or at the end of the passes.
void add_messages(double activation_s, double gradient_s, bool overlaps, StageTime& time) {
  StageDurations& d = time.durations;
  if (overlaps) {
    d.send_activation_s = activation_s;
    d.send_gradient_s = gradient_s;
    return;
  }
  d.forward_s += activation_s;
  d.backward_s += gradient_s;
  d.backward_input_s += gradient_s;
  time.communication_s += activation_s + gradient_s;
}

// Everything in it.
void scale(StageTime& time, double factor) {
  StageDurations& d = time.durations;
  for (double* seconds : {&d.forward_s, &d.backward_s, &d.backward_input_s, &d.backward_weight_s,
                          &d.send_activation_s, &d.send_gradient_s, &d.reduce_s, &d.optimizer_s,
                          &time.communication_s, &time.step_communication_s}) {
    *seconds *= factor;
  }
}

}  // namespace

double KnownLinks::seconds(const Job& job, const CollectiveWork& work,
                           const Placements& placements) {
  for (const Entry& entry : entries_) {
    if (entry.kind == work.kind && entry.axis == work.axis && entry.bytes == work.bytes) {
      return entry.seconds;
    }
  }
  const double seconds = link_seconds(job, work.kind, work.bytes, work.axis, placements);
  entries_.push_back({work.kind, work.axis, work.bytes, seconds});
  return seconds;
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
  double products_s = hiding.products_s;  // both axes travel beside the same products
  for (const Axis axis : {Axis::tp, Axis::etp}) {
    double& exposed_s = seconds[static_cast<size_t>(axis)];
    if (!is_in_first_tier(placements[static_cast<size_t>(axis)])) continue;
    const double hidden_s = std::min(facts.tensor_overlap * exposed_s, products_s);
    exposed_s -= hidden_s;
    products_s -= hidden_s;
  }
  double& expert_s = seconds[static_cast<size_t>(Axis::ep)];
  expert_s -= std::min(facts.expert_overlap * expert_s, hiding.ops_s);
  seconds[static_cast<size_t>(Axis::cp)] += std::max(0.0, ring_s - hiding.ring_s);
  return seconds;
}

double host_wait_s(const Job& job, double busy_s, double num_launches,
                   const std::vector<CollectiveWork>& collectives, const Placements& placements) {
  const double host_op_s = job.stack.numbers.host_op_s;
  if (host_op_s <= 0) return 0;
  for (const CollectiveWork& work : collectives) {
    if (placements[static_cast<size_t>(work.axis)].size <= 1) continue;
    if (work.kind != CollectiveKind::recv) num_launches += static_cast<double>(work.count);
  }
  return std::max(0.0, num_launches * host_op_s - busy_s);
}

double straggler_factor(const Job& job) {
  const double nodes = static_cast<double>(job.num_devices()) /
                       static_cast<double>(std::max<int64_t>(1, job.cluster.devices_per_node));
  return 1 + kStragglerPerDoubling * std::log2(std::max(1.0, nodes));
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
  const bool is_own = job.stack.facts.is_own;
  const bool reduces_in_passes = zero_stage >= 2 && !is_own;
  const bool gathers_in_passes = zero_stage >= 3 && !is_own;
  const int64_t m = is_own ? num_microbatches(job, candidate) : 1;
  std::array<int64_t, kNumDomains> replicas{};  // elements that the holders of a shard sum
  Pass pass, update;
  for (const StageBucket& bucket : buckets) {
    const Axis axis = shard_axis(candidate.mesh, bucket.domain);
    if (is_trainable(bucket.domain)) {
      replicas[static_cast<size_t>(bucket.domain)] +=
          bucket.count * bucket.shard_elements(candidate);
      const int64_t uses = is_own && zero_stage >= 2 ? m * bucket.gradient_uses : 1;
      add(pass, zero_stage >= 1 ? CollectiveKind::reduce_scatter : CollectiveKind::all_reduce, axis,
          reduces_in_passes ? 0 : bucket.elements.size * gradient_wire_bytes(job),
          bucket.count * uses);
      if (candidate.offload == Offload::none) {
        update.ops.push_back({OpKind::memory, 0,
                              bucket.shard_elements(candidate) * update_bytes_per_element(job),
                              bucket.count});
      }
    }
    if (gathers_in_passes) continue;
    if (zero_stage >= 3 || (zero_stage >= 1 && is_trainable(bucket.domain))) {
      add(update, CollectiveKind::all_gather, axis,
          gathered_bytes(job.precision, job.lora, !is_trainable(bucket.domain),
                         bucket.elements.size, bucket.elements.products),
          bucket.count * (zero_stage >= 3 ? m * bucket.value_uses : 1));
    }
  }
  for (const Domain domain : {Domain::dense, Domain::expert}) {
    if (degree(candidate.mesh, replica_axis(domain)) > 1)
      add(pass, CollectiveKind::all_reduce, replica_axis(domain),
          replicas[static_cast<size_t>(domain)] * gradient_wire_bytes(job));
    add_partial_sums(job, candidate, buckets, domain, pass);
  }
  pass.ops.insert(pass.ops.end(), update.ops.begin(), update.ops.end());
  pass.collectives.insert(pass.collectives.end(), update.collectives.begin(),
                          update.collectives.end());
  return is_own ? pass : in_buckets(pass, job, candidate);
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
    time_step_pass(job, step_pass(job, candidate, buckets), placements, time);
    time.durations.optimizer_s += offload_seconds(job, candidate, buckets);
    times.push_back(time);
  }
  for (size_t stage = 0; stage <= last; ++stage) {
    add_messages(stage < last ? send_s(stage, stage + 1) : 0,
                 stage > 0 ? send_s(stage, stage - 1) : 0, facts.overlaps_pipeline, times[stage]);
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
  double busy_s = 0, communication_s = 0;
  for (const StageTime& time : times) {
    const StageDurations& d = time.durations;
    busy_s += m * (d.forward_s + d.backward_s) + d.reduce_s + d.optimizer_s;
    communication_s += m * time.communication_s + time.step_communication_s;
  }
  return {step_s, (busy_s - communication_s) / ranks, communication_s / ranks};
}

}  // namespace argosy
