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

void set_state_bytes(Ledger& ledger, const Plan& plan, int64_t rank) {
  const RankLayout layout = rank_layout(plan, model_tensors(plan.model, plan.lora), rank);
  for (int i = 0; i < kNumDomains; ++i) {
    const auto kind = static_cast<Domain>(i);
    const DomainLayout& domain = layout[kind];
    ledger.parameter_bytes += domain.num_elements * size_in_bytes(compute_dtype(plan.precision));
    if (!is_trainable(kind)) continue;
    ledger.gradient_bytes += domain.num_elements * size_in_bytes(gradient_dtype(plan.precision));
    ledger.optimizer_bytes += domain.num_shard_elements * optimizer_bytes_per_element(plan);
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
  set_state_bytes(ledger, plan, rank);
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
  }
  record(ledger, step_work(plan, rank));
  ledger.activation_peak_bytes = activations.peak_bytes();
  return ledger;
}

}  // namespace argosy
