// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What one rank's step will count, from the plan alone.
#include <algorithm>

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
    ledger.optimizer_bytes += updated_elements(plan, domain) * optimizer_bytes_per_element(plan);
  }
}

void record(Ledger& ledger, const Pass& pass) {
  ledger.matmul_flops += pass_flops(pass);
  for (const CollectiveWork& work : pass.collectives) {
    ledger.record(work.kind, work.axis, work.bytes);
  }
}

// One rank's activations through a step.
class ActivationWalk {
 public:
  ActivationWalk(const Plan& plan, const RankShape& shape, const std::vector<LayerWork>& layers)
      : layers_(layers) {
    for (const LayerWork& work : layers) {
      const bool is_block = work.layer >= 0 && work.layer < plan.model.num_layers;
      const auto i = static_cast<size_t>(std::max(work.layer, 0));
      const bool again = is_block && plan.recompute[i] == Recompute::full;
      // What running the block again adds: all that it keeps but its input, which is there already.
      recomputed_bytes_.push_back(
          again ? block_saved_bytes(shape, plan.model.layer_is_moe[i]) - shape.split_bytes() : 0);
    }
  }

  void forward() {
    for (const LayerWork& work : layers_) alive_bytes_ += work.saved_bytes;
    peak_bytes_ = std::max(peak_bytes_, alive_bytes_);
  }

  void backward() {
    for (size_t i = layers_.size(); i-- > 0;) {
      peak_bytes_ = std::max(peak_bytes_, alive_bytes_ + recomputed_bytes_[i]);
      alive_bytes_ -= layers_[i].saved_bytes;
    }
  }

  int64_t peak_bytes() const { return peak_bytes_; }

 private:
  const std::vector<LayerWork>& layers_;
  std::vector<int64_t> recomputed_bytes_;  // [layer of the stage]
  int64_t alive_bytes_ = 0, peak_bytes_ = 0;
};

// Activations and their gradients are sent as the layers have them: (s, H)e.
void record_transfer(Ledger& ledger, const Action& action, int64_t bytes) {
  const CollectiveKind kind = is_send(action.kind) ? CollectiveKind::send : CollectiveKind::recv;
  ledger.record(kind, Axis::pp, bytes);
}

}  // namespace

Ledger predict_ledger(const Plan& plan, int64_t rank) {
  const Coordinates at = coordinates(plan.mesh, rank);
  const RankShape shape = rank_shape(plan, at.tp);
  const std::vector<LayerWork> layers = stage_work(plan, at.pp, at.tp);
  const Schedule schedule = build_schedule(plan.schedule, static_cast<int>(plan.num_stages()),
                                           static_cast<int>(plan.num_microbatches()));
  Ledger ledger;
  set_state_bytes(ledger, plan, rank);
  for (const LayerWork& work : layers) {
    if (work.saved_bytes > 0) ledger.saved_bytes[work.layer] = work.saved_bytes;
  }
  ActivationWalk activations(plan, shape, layers);
  for (const Action& action : schedule.actions[static_cast<size_t>(at.pp)]) {
    if (!is_compute(action.kind)) {
      record_transfer(ledger, action, shape.split_bytes());
      continue;
    }
    const bool is_forward = action.kind == ActionKind::forward;
    for (const LayerWork& work : layers) record(ledger, is_forward ? work.forward : work.backward);
    if (is_forward) {
      activations.forward();
    } else {
      activations.backward();
    }
  }
  record(ledger, step_work(plan, rank));
  ledger.activation_peak_bytes = activations.peak_bytes();
  return ledger;
}

}  // namespace argosy
