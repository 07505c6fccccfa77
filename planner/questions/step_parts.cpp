// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/step_parts.h"

#include <algorithm>
#include <array>

#include "planner/cost/stack_pass.h"
#include "planner/cost/stack_work.h"
#include "planner/questions/price.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

// Seconds of all micro-batches and stages of one pipeline.
struct LayerSeconds {
  std::array<double, kNumOpKinds> ops{};  // by OpKind
  AxisSeconds collectives{};
  double host_s = 0;
};

void add(const Job& job, const PassOps& ops, const std::vector<CollectiveWork>& collectives,
         int64_t cp, const Placements& placements, double microbatches, LayerSeconds& sum) {
  for (size_t kind = 0; kind < kNumOpKinds; ++kind) {
    sum.ops[kind] += microbatches * ops.kind_s[kind];
  }
  const AxisSeconds exposed = exposed_seconds(collectives, hiding_of(ops, cp), placements, job);
  double busy_s = ops.seconds();
  for (size_t axis = 0; axis < exposed.size(); ++axis) {
    sum.collectives[axis] += microbatches * exposed[axis];
    busy_s += exposed[axis];
  }
  sum.host_s += microbatches * host_wait_s(job, busy_s, ops.num_launches, collectives, placements);
}

// Modules for multi-token prediction are as the last block, embedding and head never recomputed.
Recompute recompute_of(const Plan& plan, int64_t layer) {
  const int64_t num_layers = plan.model.num_layers;
  if (layer < 0 || layer == num_layers) return Recompute::none;
  return plan.recompute[static_cast<size_t>(std::min(layer, num_layers - 1))];
}

}  // namespace

std::vector<StepPart> step_parts(const Job& job, const Plan& plan) {
  LayerCostCache cache(job);
  const StepUse use = price(job, candidate_of(plan), cache).use;
  const Placements placements = place_all(plan.mesh, job);
  const double microbatches = static_cast<double>(plan.num_microbatches()) * straggler_factor(job);
  LayerSeconds sum;
  const SeenAccelerator seen(job);
  for (int64_t stage = 0; stage < plan.num_stages(); ++stage) {
    for (LayerWork& layer : stage_work(plan, stage, 0)) {
      const Recompute recompute = recompute_of(plan, layer.layer);
      for (Pass* pass : {&layer.forward, &layer.backward}) {
        rewrite_for_stack(job, *pass);
        const PassOps ops =
            pass_ops(job, seen, recompute, plan.mesh.tp, *pass, pass == &layer.backward);
        add(job, ops, pass->collectives, plan.mesh.cp, placements, microbatches, sum);
      }
    }
  }
  const double ranks = static_cast<double>(plan.mesh.pp);
  std::vector<StepPart> parts = {{"matrix products", sum.ops[0] / ranks},
                                 {"attention", sum.ops[1] / ranks},
                                 {"memory-bound ops", sum.ops[2] / ranks}};
  if (sum.host_s > 0) parts.push_back({kHostPart, sum.host_s / ranks});
  double update_s = use.compute_s, step_communication_s = use.communication_s;
  for (const StepPart& part : parts) update_s -= part.seconds;
  parts.push_back({"optimizer update", update_s});
  for (size_t axis = 0; axis < sum.collectives.size(); ++axis) {
    const double seconds = sum.collectives[axis] / ranks;
    if (seconds == 0) continue;
    parts.push_back(
        {concat(to_string(static_cast<Axis>(axis)), " collectives of layers"), seconds});
    step_communication_s -= seconds;
  }
  if (use.message_s > 0) {
    parts.push_back({"messages between stages", use.message_s});
    step_communication_s -= use.message_s;
  }
  parts.push_back({"gradients and parameters", step_communication_s});
  // Without a pipeline nothing is left, or a rounding error below it.
  const double waiting_s = std::max(0.0, use.step_s - use.compute_s - use.communication_s);
  parts.push_back({"waiting in the pipeline", waiting_s});
  return parts;
}

}  // namespace argosy
