// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/state_memory.h"

#include <numeric>

#include "planner/cost/zero_memory.h"
#include "planner/spec/schedule.h"

namespace argosy {

namespace {

// Norm and clipping of other frameworks read the gradient in passes of their own.
constexpr int64_t kClipBytesPerElement = 8;

int64_t sum_of(const MemoryBytes& bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), int64_t{0});
}

// State of the buckets of a stage: the same on all its ranks up to an element a bucket; the first
// rank has the most.
void add_state(const Job& job, const Candidate& candidate, const std::vector<StageBucket>& buckets,
               StateMemory& memory) {
  MemoryBytes& bytes = memory.bytes;
  const int64_t gradient = size_in_bytes(gradient_dtype(job.precision));
  for (const StageBucket& bucket : buckets) {
    const auto is_cut = [&](int from_stage) {
      return is_in_shards(candidate, from_stage, bucket.domain);
    };
    const int64_t num_shards =
        is_cut(3) ? degree(candidate.mesh, shard_axis(candidate.mesh, bucket.domain)) : 1;
    bytes_of(bytes, MemoryCategory::parameters) +=
        bucket.count * stored_bytes(job.precision, job.lora, !is_trainable(bucket.domain),
                                    bucket.elements.size, bucket.elements.products, {num_shards});
    if (!is_trainable(bucket.domain)) continue;
    const int64_t shard = bucket.shard_elements(candidate);
    bytes_of(bytes, MemoryCategory::gradients) +=
        bucket.count * (is_cut(2) ? shard : bucket.elements.size) * gradient;
    const bool is_on_host = candidate.offload == Offload::optimizer;
    (is_on_host ? memory.host_bytes : bytes_of(bytes, MemoryCategory::optimizer)) +=
        bucket.count * shard * state_bytes_per_element(job);
  }
}

// What ZeRO 2 and 3 hold of a layer or two while they run.
void add_temporaries(const Job& job, const Candidate& candidate, const StageLayers& layers,
                     const ElementTable& table, MemoryBytes& bytes) {
  const bool is_repeated = num_microbatches(job, candidate) > 1;
  bytes_of(bytes, MemoryCategory::gradients) +=
      unreduced_gradient_elements(candidate, layers, table, is_repeated) *
      size_in_bytes(gradient_dtype(job.precision));
  bytes_of(bytes, MemoryCategory::buffers) += gathered_value_bytes(job, candidate, layers, table);
}

Plan plan_of_elements(const Job& job) {
  Plan plan;
  plan.precision = job.precision;
  plan.optimizer = job.optimizer;
  return plan;
}

int64_t num_mtp_modules(const StageLayers& layers) {
  int64_t count = 0;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    if (base_kind(kind) == LayerKind::mtp) count += layers[kind];
  }
  return count;
}

}  // namespace

int64_t whole_state_bytes_per_element(const Job& job) {
  return checkpoint_bytes_per_element(plan_of_elements(job)) -
         size_in_bytes(compute_dtype(job.precision));
}

int64_t state_bytes_per_element(const Job& job) {
  return optimizer_bytes_per_element(plan_of_elements(job));
}

int64_t whole_update_bytes_per_element(const Job& job) {
  const int64_t weight = size_in_bytes(compute_dtype(job.precision));
  const int64_t read_weight = has_master_weights(job.precision) ? 0 : weight;
  return size_in_bytes(gradient_dtype(job.precision)) + weight + read_weight +
         2 * whole_state_bytes_per_element(job) +
         (job.stack.facts.is_own ? 0 : kClipBytesPerElement);
}

int64_t update_bytes_per_element(const Job& job) {
  if (!job.stack.facts.is_own) return whole_update_bytes_per_element(job);
  return update_traffic_bytes(plan_of_elements(job), 1);
}

int64_t StageBucket::shard_elements(const Candidate& candidate) const {
  if (candidate.zero_stage == 0) return elements.size;
  return split_range(elements.size, degree(candidate.mesh, shard_axis(candidate.mesh, domain)), 0)
      .size();
}

std::vector<StageBucket> stage_buckets(const StageLayers& layers, const ElementTable& table,
                                       bool is_copy, bool is_tied) {
  std::vector<StageBucket> buckets;
  const auto at = [](LayerKind kind) { return static_cast<size_t>(kind); };
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    const bool is_embedding = kind == static_cast<size_t>(LayerKind::embedding);
    if (layers[kind] == 0 && !(is_copy && is_embedding)) continue;
    for (size_t d = 0; d < kNumDomains; ++d) {
      const auto add = [&](StageBucket bucket) {
        bucket.domain = static_cast<Domain>(d);
        if (bucket.elements.size > 0 && bucket.count > 0) buckets.push_back(bucket);
      };
      StageBucket layer;
      layer.elements = table[kind].layer[d];
      layer.count = layers[kind];
      layer.value_uses = is_embedding ? 1 : 2;  // its backward reads no values
      add(layer);
      StageBucket vocabulary;
      vocabulary.elements = table[kind].table[d];
      vocabulary.count = layers[kind] + (is_copy && is_embedding ? 1 : 0);
      vocabulary.is_tied_table = is_tied && is_embedding;
      // A tied head has no table of its own; modules for multi-token prediction use both ends'.
      const bool is_tied_head = is_embedding && &head_table(table) == &table[kind];
      const int64_t num_modules = num_mtp_modules(layers);
      const int64_t num_heads = layers[at(LayerKind::head)] + num_modules;
      vocabulary.gradient_uses = vocabulary.value_uses =
          is_embedding
              ? layers[at(LayerKind::embedding)] + num_modules + (is_tied_head ? num_heads : 0)
              : num_heads;
      add(vocabulary);
    }
  }
  return buckets;
}

StateMemory state_memory(const Job& job, const Candidate& candidate, const StageLayers& layers,
                         bool is_copy, const ElementTable& elements) {
  StateMemory memory;
  add_state(job, candidate, stage_buckets(layers, elements, is_copy, is_copy), memory);
  add_temporaries(job, candidate, layers, elements, memory.bytes);
  return memory;
}

StateBytes lasting_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                         bool is_copy, const ElementTable& elements) {
  StateMemory memory;
  add_state(job, candidate, stage_buckets(layers, elements, is_copy, is_copy), memory);
  return {sum_of(memory.bytes), memory.host_bytes};
}

int64_t temporary_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                        const ElementTable& elements) {
  MemoryBytes bytes{};
  add_temporaries(job, candidate, layers, elements, bytes);
  return sum_of(bytes);
}

StateBytes state_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                       bool is_copy, const ElementTable& elements) {
  StateBytes bytes = lasting_bytes(job, candidate, layers, is_copy, elements);
  bytes.on_device += temporary_bytes(job, candidate, layers, elements);
  return bytes;
}

}  // namespace argosy
