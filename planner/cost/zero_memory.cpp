// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/zero_memory.h"

#include <algorithm>
#include <vector>

namespace argosy {

namespace {

// Elements, in shards while nobody works on them, of the parts that a stage's layers have: each 0
// where the stage has no such layer.
struct Parts {
  int64_t embedding = 0;  // with its table
  int64_t block = 0;      // the largest
  int64_t num_blocks = 0;
  int64_t norm = 0, head = 0;  // the last norm; the table of the head
};

Parts parts_of(const Candidate& candidate, const StageLayers& layers, const ElementTable& table,
               bool of_gradients) {
  const auto sum = [&](const std::array<BucketElements, kNumDomains>& buckets) {
    int64_t elements = 0;
    for (size_t d = 0; d < kNumDomains; ++d) {
      const auto domain = static_cast<Domain>(d);
      if (of_gradients && !is_trainable(domain)) continue;
      if (is_in_shards(candidate, of_gradients ? 2 : 3, domain)) elements += buckets[d].size;
    }
    return elements;
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
  const Parts parts = parts_of(candidate, layers, table, true);
  // The head adds to its table in forward. Of equal blocks two are enough to tell.
  std::vector<int64_t> backward = {parts.norm};
  backward.insert(backward.end(), static_cast<size_t>(std::min<int64_t>(parts.num_blocks, 2)),
                  parts.block);
  backward.push_back(parts.embedding);
  std::vector<int64_t> order = {parts.head};
  const auto append = [&](const std::vector<int64_t>& passes) {
    order.insert(order.end(), passes.begin(), passes.end());
  };
  if (candidate.schedule == ScheduleKind::gpipe && is_repeated) append({parts.head});
  append(backward);
  if (candidate.schedule != ScheduleKind::gpipe && is_repeated) append({parts.head});
  if (is_repeated) append(backward);
  std::erase(order, 0);
  int64_t largest = 0, previous = 0;
  for (const int64_t elements : order) {
    largest = std::max(largest, previous + elements);
    previous = elements;
  }
  return largest;
}

int64_t gathered_value_elements(const Candidate& candidate, const StageLayers& layers,
                                const ElementTable& table) {
  const Parts parts = parts_of(candidate, layers, table, false);
  return parts.block + std::max({parts.num_blocks > 1 ? parts.block : 0, parts.head + parts.norm,
                                 parts.embedding});
}

}  // namespace argosy
