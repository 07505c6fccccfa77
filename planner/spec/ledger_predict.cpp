// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What one rank's step will count, from the plan alone.
#include <algorithm>
#include <map>
#include <vector>

#include "planner/spec/check.h"
#include "planner/spec/layout.h"
#include "planner/spec/ledger.h"
#include "planner/spec/schedule.h"
#include "planner/spec/work.h"
#include "planner/spec/work_shape.h"

namespace argosy {

namespace {

// Gradients in category `gradients` through a step. Without shards the buffer of all gradients is
// all there is. With shards (ZeRO 2 and 3) a layer's backward adds to a temporary buffer that is
// reduce-scattered while the next layer runs: at most the temporaries of two layers exist at once.
class GradientWalk {
 public:
  GradientWalk(const Plan& plan, const RankLayout& layout) : plan_(plan), layout_(layout) {
    for (const Domain kind : {Domain::dense, Domain::expert}) {
      const DomainLayout& domain = layout[kind];
      kept_ += shards_gradients(plan, kind) ? domain.num_shard_elements : domain.num_elements;
    }
  }

  void compute(ActionKind kind, int64_t stage) {
    const Range layers = layers_of_stage(plan_, stage);
    const auto head = static_cast<int>(plan_.model.num_layers);
    const bool is_last = stage == plan_.num_stages() - 1;
    const int64_t num_modules = plan_.model.num_mtp_modules;  // each with a pass of the head
    if (kind == ActionKind::forward) {
      for (int64_t i = 0; is_last && i < 1 + num_modules; ++i)
        add(plan_.model.tied_head ? -1 : head, true);
      return;
    }
    if (kind != ActionKind::backward) return;  // split backward passes go without shards
    for (int64_t i = num_modules; is_last && i-- > 0;) {
      add(plan_.model.mtp_layer(i), false);
      add(-1, true);
    }
    if (is_last) add(head, false);
    for (int64_t layer = layers.end; layer-- > layers.begin;) add(static_cast<int>(layer), false);
    if (stage == 0) add(-1, false, true);
  }

  int64_t peak_bytes() const {
    return (kept_ + peak_) * size_in_bytes(gradient_dtype(plan_.precision));
  }

 private:
  // The buckets of `layer` that are tables, or not, or both.
  void add(int layer, bool is_table, bool both = false) {
    int64_t elements = 0;
    for (const Domain kind : {Domain::dense, Domain::expert}) {
      if (!shards_gradients(plan_, kind)) continue;
      for (const Bucket& bucket : layout_[kind].buckets) {
        if (bucket.layer == layer && (both || bucket.is_table == is_table))
          elements += bucket.range.size();
      }
    }
    if (elements == 0) return;
    peak_ = std::max(peak_, previous_ + elements);
    previous_ = elements;
  }

  const Plan& plan_;
  const RankLayout& layout_;
  int64_t kept_ = 0, previous_ = 0, peak_ = 0;  // elements
};

void set_state_bytes(Ledger& ledger, const Plan& plan, const RankLayout& layout) {
  for (int i = 0; i < kNumDomains; ++i) {
    const auto kind = static_cast<Domain>(i);
    const DomainLayout& domain = layout[kind];
    const ShardOf shard = shards_parameters(plan, kind) ? domain.shard : ShardOf{};
    for (const Bucket& bucket : domain.buckets) {
      ledger.parameter_bytes += stored_bytes(plan.precision, plan.lora, !is_trainable(kind),
                                             bucket.range.size(), bucket.products, shard);
    }
    if (!is_trainable(kind)) continue;
    const bool is_on_host = plan.offload == Offload::optimizer;
    (is_on_host ? ledger.host_bytes : ledger.optimizer_bytes) +=
        domain.num_shard_elements * optimizer_bytes_per_element(plan);
  }
}

void record(Ledger& ledger, const Pass& pass) {
  ledger.matmul_flops += pass_flops(pass);
  for (const CollectiveWork& work : pass.collectives) {
    for (int64_t i = 0; i < work.count; ++i) ledger.record(work.kind, work.axis, work.bytes);
  }
}

// Activations of one rank through a step.
class ActivationWalk {
 public:
  void forward(const std::vector<LayerWork>& layers) {
    for (const LayerWork& work : layers) alive_bytes_ += work.saved_bytes;
    peak_bytes_ = std::max(peak_bytes_, alive_bytes_);
  }

  void backward(const std::vector<LayerWork>& layers) {
    for (size_t i = layers.size(); i-- > 0;) {
      peak_bytes_ = std::max(peak_bytes_, alive_bytes_ + layers[i].backward_extra_bytes);
      alive_bytes_ -= layers[i].saved_bytes;
    }
  }

  void backward_input(const std::vector<LayerWork>& layers) {
    for (size_t i = layers.size(); i-- > 0;) {
      peak_bytes_ = std::max(peak_bytes_, alive_bytes_ + layers[i].backward_input_extra_bytes);
      alive_bytes_ += layers[i].deferred_bytes - layers[i].saved_bytes;
    }
  }

  void backward_weight(const std::vector<LayerWork>& layers) {
    for (const LayerWork& work : layers) alive_bytes_ -= work.deferred_bytes;
  }

  int64_t peak_bytes() const { return peak_bytes_; }

 private:
  int64_t alive_bytes_ = 0, peak_bytes_ = 0;
};

// The products that a split backward puts off are counted with its first half: a step has both.
void record_compute(Ledger& ledger, ActivationWalk& activations, ActionKind kind,
                    const std::vector<LayerWork>& layers) {
  const auto record_all = [&](Pass LayerWork::*pass) {
    for (const LayerWork& work : layers) record(ledger, work.*pass);
  };
  switch (kind) {
    case ActionKind::forward:
      record_all(&LayerWork::forward);
      return activations.forward(layers);
    case ActionKind::backward:
      record_all(&LayerWork::backward);
      return activations.backward(layers);
    case ActionKind::backward_input:
      record_all(&LayerWork::backward);
      return activations.backward_input(layers);
    case ActionKind::backward_weight:
      return activations.backward_weight(layers);
    default:
      CHECK(false, "not a compute action");
  }
}

// Activations and their gradients are sent as the layers have them: (s, H)e.
void record_transfer(Ledger& ledger, const Action& action, int64_t bytes) {
  const CollectiveKind kind = is_send(action.kind) ? CollectiveKind::send : CollectiveKind::recv;
  ledger.record(kind, Axis::pp, bytes);
}

}  // namespace

Ledger predict_ledger(const Plan& plan, int64_t rank) {
  const Coordinates at = coordinates(plan.mesh, rank);
  const RankShape shape = rank_shape(plan, at.tp);
  std::map<int, std::vector<LayerWork>> layers_of;  // by stage of this rank
  Ledger ledger;
  const RankLayout layout = rank_layout(plan, model_tensors(plan.model, plan.lora), rank);
  set_state_bytes(ledger, plan, layout);
  GradientWalk gradients(plan, layout);
  for (const int64_t stage : stages_of_pipeline_rank(plan, at.pp)) {
    std::vector<LayerWork>& layers = layers_of[static_cast<int>(stage)];
    layers = stage_work(plan, stage, at.tp);
    for (const LayerWork& work : layers) {
      if (work.saved_bytes > 0) ledger.saved_bytes[work.layer] = work.saved_bytes;
    }
  }
  ActivationWalk activations;
  const Schedule schedule = build_schedule(plan);
  for (const Action& action : schedule.actions[static_cast<size_t>(at.pp)]) {
    if (!is_compute(action.kind)) {
      record_transfer(ledger, action, shape.split_bytes());
      continue;
    }
    record_compute(ledger, activations, action.kind, layers_of.at(action.stage));
    gradients.compute(action.kind, action.stage);
  }
  record(ledger, step_work(plan, rank));
  ledger.activation_peak_bytes = activations.peak_bytes();
  ledger.gradient_bytes = gradients.peak_bytes();
  return ledger;
}

}  // namespace argosy
