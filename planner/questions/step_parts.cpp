// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/questions/step_parts.h"

#include <array>

#include "planner/cost/compute.h"
#include "planner/questions/price.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

// Seconds of all micro-batches and stages of one pipeline.
struct LayerSeconds {
  std::array<double, 3> ops{};  // by OpKind
  AxisSeconds collectives{};
};

void add(const Job& job, const Pass& pass, int64_t cp, const Placements& placements,
         double microbatches, LayerSeconds& sum) {
  for (const OpWork& op : pass.ops) {
    sum.ops[static_cast<size_t>(op.kind)] +=
        microbatches * op_seconds(op, job.cluster.accelerator, job.precision);
  }
  const AxisSeconds exposed =
      exposed_seconds(pass.collectives, hiding_seconds(pass, job, cp), placements, job.cluster);
  for (size_t axis = 0; axis < exposed.size(); ++axis) {
    sum.collectives[axis] += microbatches * exposed[axis];
  }
}

}  // namespace

std::vector<StepPart> step_parts(const Job& job, const Plan& plan) {
  LayerCostCache cache(job);
  const StepUse use = price(job, candidate_of(plan), cache).use;
  const Placements placements = place_all(plan.mesh, job);
  const double microbatches = static_cast<double>(plan.num_microbatches());
  LayerSeconds sum;
  for (int64_t stage = 0; stage < plan.num_stages(); ++stage) {
    for (const LayerWork& layer : stage_work(plan, stage, 0)) {
      add(job, layer.forward, plan.mesh.cp, placements, microbatches, sum);
      add(job, layer.backward, plan.mesh.cp, placements, microbatches, sum);
    }
  }
  const double ranks = static_cast<double>(plan.mesh.pp);
  std::vector<StepPart> parts = {{"matrix products", sum.ops[0] / ranks},
                                 {"attention", sum.ops[1] / ranks},
                                 {"memory-bound ops", sum.ops[2] / ranks}};
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
  parts.push_back({"gradients and parameters", step_communication_s});
  parts.push_back({"waiting in the pipeline", use.step_s - use.compute_s - use.communication_s});
  return parts;
}

}  // namespace argosy
