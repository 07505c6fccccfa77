// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/zero_memory.h"

#include <algorithm>
#include <array>

namespace argosy {

namespace {

// Elements or bytes, in shards while nobody works on them, of the parts that a stage's layers have:
// each 0 where the stage has no such layer.
struct Parts {
  int64_t embedding = 0;  // with its table
  int64_t block = 0;      // the largest
  int64_t num_blocks = 0;
  int64_t norm = 0, head = 0;  // the last norm; the table of the head
};

// size_of(domain, bucket): 0 of what is not in shards.
template <typename SizeOf>
Parts parts_of(const StageLayers& layers, const ElementTable& table, const SizeOf& size_of) {
  const auto sum = [&](const std::array<BucketElements, kNumDomains>& buckets) {
    int64_t size = 0;
    for (size_t d = 0; d < kNumDomains; ++d) size += size_of(static_cast<Domain>(d), buckets[d]);
    return size;
  };
  const auto at = [](LayerKind kind) { return static_cast<size_t>(kind); };
  Parts parts;
  for (size_t kind = 0; kind < kNumLayerKinds; ++kind) {
    if (layers[kind] == 0 || !(is_block(kind) || base_kind(kind) == LayerKind::mtp)) continue;
    parts.block = std::max(parts.block, sum(table[kind].layer));
    parts.num_blocks += layers[kind];
  }
  if (layers[at(LayerKind::embedding)] > 0) {
    const LayerElements& embedding = table[at(LayerKind::embedding)];
    parts.embedding = sum(embedding.layer) + sum(embedding.table);
  }
  if (layers[at(LayerKind::head)] > 0) {
    parts.norm = sum(table[at(LayerKind::head)].layer);
    parts.head = sum(head_table(table).table);
  }
  return parts;
}

}  // namespace

bool is_in_shards(const Candidate& candidate, int from_stage, Domain domain) {
  return candidate.zero_stage >= from_stage &&
         degree(candidate.mesh, shard_axis(candidate.mesh, domain)) > 1;
}

const LayerElements& head_table(const ElementTable& table) {
  const LayerElements& head = table[static_cast<size_t>(LayerKind::head)];
  for (const BucketElements& bucket : head.table) {
    if (bucket.size > 0) return head;
  }
  return table[static_cast<size_t>(LayerKind::embedding)];
}

int64_t unreduced_gradient_elements(const Candidate& candidate, const StageLayers& layers,
                                    const ElementTable& table, bool is_repeated) {
  if (candidate.zero_stage < 2) return 0;
  const auto size_of = [&](Domain domain, const BucketElements& bucket) {
    const bool counts = is_trainable(domain) && is_in_shards(candidate, 2, domain);
    return counts ? bucket.size : int64_t{0};
  };
  const Parts parts = parts_of(layers, table, size_of);
  int64_t largest = 0, previous = 0;
  const auto add = [&](int64_t elements) {
    if (elements == 0) return;
    largest = std::max(largest, previous + elements);
    previous = elements;
  };
  // Of equal blocks two are enough to tell.
  const auto backward = [&] {
    add(parts.norm);
    for (int64_t i = 0; i < std::min<int64_t>(parts.num_blocks, 2); ++i) add(parts.block);
    add(parts.embedding);
  };
  const bool is_gpipe = candidate.schedule == ScheduleKind::gpipe;
  add(parts.head);  // it adds to its table in forward
  if (is_gpipe && is_repeated) add(parts.head);
  backward();
  if (!is_gpipe && is_repeated) add(parts.head);
  if (is_repeated) backward();
  return largest;
}

int64_t gathered_value_bytes(const Job& job, const Candidate& candidate, const StageLayers& layers,
                             const ElementTable& table) {
  if (candidate.zero_stage < 3) return 0;
  const auto size_of = [&](Domain domain, const BucketElements& bucket) {
    if (!is_in_shards(candidate, 3, domain)) return int64_t{0};
    return gathered_bytes(job.precision, job.lora, !is_trainable(domain), bucket.size,
                          bucket.products);
  };
  const Parts parts = parts_of(layers, table, size_of);
  return parts.block + std::max({parts.num_blocks > 1 ? parts.block : 0, parts.head + parts.norm,
                                 parts.embedding});
}

}  // namespace argosy
