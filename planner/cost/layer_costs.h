// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Layers of a kind cost the same wherever they are, so that they are costed once for thousands of
// candidates: on a probe, a model of one layer of each kind, by the very functions of planner/spec
// that the trainer's layers obey.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "planner/cost/job.h"
#include "planner/spec/layout.h"
#include "planner/spec/work.h"

namespace argosy {

// Of a model whose layers see all keys, or all a window of them, blocks are dense or moe; of one
// with both, those with a window are kinds of their own. mtp: a module for multi-token prediction.
enum class LayerKind { embedding, dense, moe, windowed_dense, windowed_moe, head, mtp };
inline constexpr size_t kNumBaseKinds = 7;
// Blocks that are computed again although Candidate::recompute says none are kinds of their own:
// all of the above once more for `selective`, and once more for `full`. Modules for multi-token
// prediction do as the last block does.
inline constexpr size_t kNumLayerKinds = 3 * kNumBaseKinds;
constexpr LayerKind with_recompute(LayerKind base, Recompute recompute) {
  return static_cast<LayerKind>(static_cast<size_t>(base) +
                                static_cast<size_t>(recompute) * kNumBaseKinds);
}
constexpr LayerKind base_kind(size_t kind) {
  return static_cast<LayerKind>(kind % kNumBaseKinds);
}
constexpr bool is_block(size_t kind) {
  return base_kind(kind) > LayerKind::embedding && base_kind(kind) < LayerKind::head;
}
// `layer` as in LayerWork.
LayerKind kind_of_layer(const ModelSpec& model, int64_t layer);

// Seconds of a pass beside which traffic can travel.
struct Hiding {
  double ring_s = 0;      // attention on keys that came before: messages of the ring over cp
  double products_s = 0;  // products: traffic over tp, a part while another is multiplied
  double ops_s = 0;       // all ops, those of another micro-batch: traffic over ep
};
struct PassOps;  // planner/cost/stack_pass.h
// Attention meets cp blocks of keys one after the other; while it works on one, the next is on its
// way: all of attention but its last block. The gradients of that block travel alone, a message a
// layer that is not counted.
Hiding hiding_of(const PassOps& ops, int64_t cp);

// One layer, one micro-batch, the rank with the longest part of the vocabulary.
struct LayerCost {
  double forward_s = 0, backward_s = 0;  // ops alone
  double backward_weight_s = 0;          // the part of backward_s that a split backward puts off
  Hiding forward_hiding, backward_hiding;
  double forward_launches = 0, backward_launches = 0;  // by the host; collectives are not in it
  std::vector<CollectiveWork> forward_collectives, backward_collectives;
  int64_t saved_bytes = 0, routed_bytes = 0;
  int64_t recomputed_bytes = 0;  // kept beside them while backward runs all of forward again
  // Of a split backward: kept beside what was alive while its first half runs, and between halves.
  int64_t backward_input_extra_bytes = 0, deferred_bytes = 0;
  int64_t workspace_bytes = 0;
};
using LayerCosts = std::array<LayerCost, kNumLayerKinds>;

// One layer of each kind as planner/spec describes it; empty where the model has none.
using LayerWorks = std::array<LayerWork, kNumLayerKinds>;
LayerWorks layer_works(const Job& job, const Candidate& candidate);

// Seconds and bytes of layer_works(), as the job's stack runs them.
LayerCosts cost_layers(const Job& job, const Candidate& candidate, const LayerWorks& works);

// Elements that a rank holds of one bucket (planner/spec/layout.h).
struct BucketElements {
  int64_t size = 0;
  int64_t tp_summed = 0, kv_summed = 0;  // at its front
  ProductWeights products;
};

// Of one layer, by Domain: its bucket and that of its vocabulary table, the latter empty but for
// embedding and head.
struct LayerElements {
  std::array<BucketElements, kNumDomains> layer{}, table{};
};
using ElementTable = std::array<LayerElements, kNumLayerKinds>;

// Layers of each kind in one stage.
using StageLayers = std::array<int64_t, kNumLayerKinds>;

// Stages of the default split of the job's model into `num_stages`.
std::vector<StageLayers> stage_layers(const ModelSpec& model, int64_t num_stages);
// Stages of a candidate: its split, its recomputation layer by layer.
std::vector<StageLayers> stage_layers(const ModelSpec& model, const Candidate& candidate);

// What a rank with this candidate holds of one layer of each kind.
ElementTable count_elements(const Job& job, const Candidate& candidate);

// Remembers what it has costed; may be asked by several threads.
class LayerCostCache {
 public:
  explicit LayerCostCache(const Job& job) : job_(job) {}
  // Of the same network on other machines, which hold the same elements: asked of `same_network`,
  // which must outlive this.
  LayerCostCache(const Job& job, LayerCostCache& same_network)
      : job_(job), same_network_(&same_network) {}

  const LayerCosts& costs(const Candidate& candidate);
  // The same without blocks that are computed again although Candidate::recompute says none.
  const LayerCosts& plain_costs(const Candidate& candidate);
  const ElementTable& elements(const Candidate& candidate);

 private:
  // tp cp ep etp micro_batch sp cp_kind recompute moe_capacity_factor
  using CostKey = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, bool, ContextParallel,
                             Recompute, double>;
  using ElementKey = std::tuple<int64_t, int64_t, int64_t, bool>;  // tp ep etp sp

  static CostKey key_of(const Candidate& candidate);

  const Job& job_;
  LayerCostCache* same_network_ = nullptr;
  std::mutex mutex_;
  std::map<CostKey, LayerCosts> costs_, plain_costs_;  // nodes stay where they are
  std::map<ElementKey, ElementTable> elements_;
};

}  // namespace argosy
