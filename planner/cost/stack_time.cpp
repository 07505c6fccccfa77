// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/stack_time.h"

#include <algorithm>
#include <cmath>

#include "planner/cost/stack_pass.h"
#include "planner/spec/check.h"
#include "planner/spec/timeline.h"

namespace argosy {

namespace {

// Compute and traffic that run side by side take memory bandwidth and multiprocessors from each
// other: the shorter one slows the longer by this share (Galvatron measures 1.1 to 1.3 for both).
constexpr double kContention = 0.15;
// Steps wait for the slowest of all nodes: per doubling of their number (SimuMax fits 0.09 sqrt(x)
// x / (x+1) of x doublings where nothing is overlapped; with overlap we see less).
constexpr double kStragglerPerDoubling = 0.004;
// Gradient read; master weight and two moments read and written; weight written; norm and clipping
// read the gradient again.
constexpr double kUpdateBytesPerElement = 4 + 24 + 2 + 8;
constexpr double kBucketElements = 40e6;  // Megatron-LM's default size of a gradient bucket
constexpr double kBucketElementsPerRank = 1e6;
constexpr int64_t kWeightBytes = 2;
constexpr int64_t kShortRounds = 2;  // of pp micro-batches, after which a pipeline is in its stride
double beside(double compute_s, double traffic_s, bool overlaps) {
  if (!overlaps) return compute_s + traffic_s;
  return std::max(compute_s, traffic_s) + kContention * std::min(compute_s, traffic_s);
}

// Megatron-LM: at least so many that latency does not dominate.
double bucket_elements(const StackRun& run) {
  const double ranks = static_cast<double>(run.candidate.mesh.dp * run.candidate.mesh.cp);
  return std::max(kBucketElements, kBucketElementsPerRank * ranks);
}

// Seconds of one layer of a kind, ZeRO-3's gathers and reductions included.
struct KindTime {
  double forward_s = 0, backward_s = 0;
};

double domain_seconds(const StackRun& run, const Machine& machine, CollectiveKind collective,
                      Domain domain, double elements, int64_t element_bytes,
                      double bucket_elements) {
  if (elements <= 0) return 0;
  const GroupPlacement& placement = run.placements[static_cast<size_t>(reduction_axis(domain))];
  const double num_buckets = std::max(1.0, std::round(elements / bucket_elements));
  const auto bytes =
      static_cast<int64_t>(elements / num_buckets * static_cast<double>(element_bytes));
  return num_buckets * collective_seconds(collective, bytes, placement, machine.cluster);
}

KindTime kind_time(const StackRun& run, const StackProfile& stack, const StackNumbers& numbers,
                   const Machine& machine, LayerKind kind) {
  const LayerWork& work = run.works[static_cast<size_t>(kind)];
  KindTime time;
  time.forward_s =
      pass_seconds(pass_time(run, stack, machine, work.forward, kind, false), stack, numbers);
  time.backward_s =
      pass_seconds(pass_time(run, stack, machine, work.backward, kind, true), stack, numbers);
  if (run.candidate.zero_stage < 3) return time;
  double gather_s = 0, reduce_s = 0;
  const LayerElements& elements = run.elements[static_cast<size_t>(kind)];
  for (size_t d = 0; d < kNumDomains; ++d) {
    const auto domain = static_cast<Domain>(d);
    const auto size = static_cast<double>(elements.layer[d].size + elements.table[d].size);
    gather_s +=
        domain_seconds(run, machine, CollectiveKind::all_gather, domain, size, kWeightBytes, size);
    if (!is_trainable(domain)) continue;
    reduce_s += domain_seconds(run, machine, CollectiveKind::reduce_scatter, domain, size,
                               stack.gradient_bytes, size);
  }
  const double total_s = time.forward_s + time.backward_s;
  if (total_s <= 0) return time;
  time.forward_s = beside(time.forward_s, gather_s, stack.overlaps_parameters);
  time.backward_s = beside(time.backward_s, gather_s + reduce_s, stack.overlaps_gradients);
  return time;
}

using KindTimes = std::array<KindTime, kNumLayerKinds>;

// Elements of a rank of these layers in a domain.
double stage_elements(const StackRun& run, const StageLayers& layers, size_t domain) {
  double elements = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    elements += static_cast<double>(layers[kind] * (run.elements[kind].layer[domain].size +
                                                    run.elements[kind].table[domain].size));
  }
  return elements;
}

// Exposed seconds of reducing gradients and gathering weights, and those of the update.
void add_step_seconds(const StackRun& run, const StackProfile& stack, const Machine& machine,
                      const StageLayers& layers, StageDurations& durations) {
  double reduce_s = 0, gather_s = 0, update_s = 0;
  for (size_t d = 0; d < kNumDomains; ++d) {
    const auto domain = static_cast<Domain>(d);
    if (!is_trainable(domain)) continue;
    const double elements = stage_elements(run, layers, d);
    if (elements <= 0) continue;
    const double ranks = static_cast<double>(degree(run.candidate.mesh, reduction_axis(domain)));
    const int zero = run.candidate.zero_stage;
    update_s += memory_seconds(elements * kUpdateBytesPerElement / (zero == 0 ? 1.0 : ranks),
                               machine.cluster.accelerator);
    if (zero >= 3) continue;
    reduce_s += domain_seconds(
        run, machine, zero == 0 ? CollectiveKind::all_reduce : CollectiveKind::reduce_scatter,
        domain, elements, stack.gradient_bytes, bucket_elements(run));
    if (zero > 0) {
      gather_s += domain_seconds(run, machine, CollectiveKind::all_gather, domain, elements,
                                 kWeightBytes, bucket_elements(run));
    }
  }
  const double backward_s = stack.overlaps_gradients ? durations.backward_s : 0;
  const double forward_s = stack.overlaps_parameters ? durations.forward_s : 0;
  durations.reduce_s =
      std::max(0.0, reduce_s - backward_s) + std::max(0.0, gather_s - forward_s) +
      kContention * (std::min(reduce_s, backward_s) + std::min(gather_s, forward_s));
  durations.optimizer_s = update_s;
}

std::vector<StageDurations> stage_durations(const StackRun& run, const StackProfile& stack,
                                            const StackNumbers& numbers) {
  const Machine machine = machine_of(run, numbers);
  KindTimes times;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    times[kind] = kind_time(run, stack, numbers, machine, static_cast<LayerKind>(kind));
  }
  const Mesh& mesh = run.candidate.mesh;
  // Megatron scatters the tensor over tp for the wire, with or without sequence parallelism.
  const int64_t message_bytes = run.candidate.micro_batch * run.job.seq_len / mesh.cp *
                                run.job.model.hidden_size / mesh.tp * kWeightBytes;
  const double send_s =
      collective_seconds(CollectiveKind::send, message_bytes,
                         run.placements[static_cast<size_t>(Axis::pp)], machine.cluster);
  std::vector<StageDurations> all;
  for (size_t stage = 0; stage < run.stages.size(); ++stage) {
    StageDurations d;
    for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
      const auto count = static_cast<double>(run.stages[stage][kind]);
      d.forward_s += count * times[kind].forward_s;
      d.backward_s += count * times[kind].backward_s;
    }
    add_step_seconds(run, stack, machine, run.stages[stage], d);
    const bool is_first = stage == 0, is_last = stage + 1 == run.stages.size();
    if (stack.overlaps_pipeline) {
      d.send_activation_s = is_last ? 0 : send_s;
      d.send_gradient_s = is_first ? 0 : send_s;
    } else {
      d.forward_s += is_last ? 0 : send_s;
      d.backward_s += is_first ? 0 : send_s;
    }
    all.push_back(d);
  }
  return all;
}

// Stages of equal size; where they do not divide, embedding and head count as a layer each if the
// layers divide so (Megatron-LM's account_for_embedding_in_pipeline_split, Llama 3 405B).
std::vector<StageLayers> layers_of_stages(const ModelSpec& model, int64_t num_stages) {
  const bool counts_ends =
      model.num_layers % num_stages != 0 && (model.num_layers + 2) % num_stages == 0;
  if (!counts_ends) return stage_layers(model, num_stages);
  const int64_t slots = (model.num_layers + 2) / num_stages;
  std::vector<StageLayers> stages(static_cast<size_t>(num_stages));
  int64_t layer = 0;
  for (int64_t stage = 0; stage < num_stages; ++stage) {
    const int64_t ends = (stage == 0 ? 1 : 0) + (stage + 1 == num_stages ? 1 : 0);
    for (int64_t i = 0; i < slots - ends; ++i, ++layer) {
      ++stages[static_cast<size_t>(stage)][static_cast<size_t>(kind_of_layer(model, layer))];
    }
  }
  stages.front()[static_cast<size_t>(LayerKind::embedding)] = 1;
  stages.back()[static_cast<size_t>(LayerKind::head)] = 1;
  return stages;
}

}  // namespace

StackRun make_stack_run(const Job& job, const Candidate& candidate, ProductFormat format,
                        BaseWeights base) {
  StackRun run;
  run.base = base;
  run.job = job;
  run.candidate = candidate;
  run.format = format;
  run.num_microbatches = num_microbatches(job, candidate);
  run.works = layer_works(job, candidate);
  run.stages = layers_of_stages(job.model, candidate.num_stages());
  run.elements = count_elements(job, candidate);
  run.placements = place_all(candidate.mesh, job);
  // From some micro-batches on each further round of pp takes equally long.
  const int64_t pp = candidate.mesh.pp, m = run.num_microbatches;
  const int64_t few = kShortRounds * pp;
  run.short_microbatches = m <= few + pp ? m : few + m % pp;
  run.long_microbatches = m <= few + pp ? m : run.short_microbatches + pp;
  const auto schedule = [&](int64_t microbatches) {
    return build_schedule(candidate.schedule, static_cast<int>(pp), static_cast<int>(microbatches),
                          static_cast<int>(candidate.virtual_stages));
  };
  run.short_schedule = schedule(run.short_microbatches);
  if (m > run.short_microbatches) run.long_schedule = schedule(run.long_microbatches);
  return run;
}

double step_seconds(const StackRun& run, const StackProfile& stack, const StackNumbers& numbers) {
  const std::vector<StageDurations> durations = stage_durations(run, stack, numbers);
  double seconds = simulated_step_s(run.short_schedule, durations);
  if (run.num_microbatches > run.long_microbatches) {
    const double round_s = simulated_step_s(run.long_schedule, durations) - seconds;
    const double rounds = static_cast<double>(run.num_microbatches - run.short_microbatches) /
                          static_cast<double>(run.candidate.mesh.pp);
    seconds += rounds * round_s;
  }
  const double nodes = std::max(1.0, static_cast<double>(run.job.num_devices()) /
                                         static_cast<double>(run.job.cluster.devices_per_node));
  return seconds * (1 + kStragglerPerDoubling * std::log2(nodes));
}

}  // namespace argosy
