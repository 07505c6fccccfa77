// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/evaluate.h"

#include <algorithm>

#include "planner/cost/memory_band.h"
#include "planner/cost/offload.h"
#include "planner/cost/totals.h"
#include "planner/report/units.h"
#include "planner/spec/check.h"
#include "planner/spec/schedule.h"

namespace argosy {

namespace {

void predict_rates(const Job& job, Plan& plan) {
  Prediction& p = plan.predicted;
  const double devices = static_cast<double>(job.num_devices());
  p.peak_flops_per_device = job.cluster.accelerator.peak_flops_per_s(job.precision);
  const double available_flops = p.step_s * devices * p.peak_flops_per_device;
  const double model_flops = model_flops_per_step(plan);
  p.mfu = model_flops / available_flops;
  p.mfu_palm = model_flops_per_step(plan, true) / available_flops;
  p.hfu = executed_flops_per_step(plan) / available_flops;
  p.tokens_per_s = static_cast<double>(plan.tokens_per_step()) / p.step_s;
  p.tokens_per_s_per_device = p.tokens_per_s / devices;
  p.tflops_per_device = model_flops / p.step_s / devices / 1e12;
}

MemoryCategory largest_category(const StageMemory& memory) {
  const auto largest = std::max_element(memory.bytes.begin(), memory.bytes.end());
  return static_cast<MemoryCategory>(largest - memory.bytes.begin());
}

}  // namespace

std::vector<StageDurations> durations_of(const std::vector<StageTime>& times) {
  std::vector<StageDurations> durations;
  durations.reserve(times.size());
  for (const StageTime& time : times) durations.push_back(time.durations);
  return durations;
}

int64_t missing_bytes(const Job& job, const Candidate& candidate, const StageMemory& memory) {
  const int64_t on_device = memory.total_bytes - usable_bytes(job, candidate, memory.routed_bytes);
  if (memory.host_bytes == 0) return on_device;
  return std::max(on_device, missing_host_bytes(job, memory.host_bytes));
}

std::string describe_shortage(const StageMemory& memory, const Candidate& candidate,
                              int64_t usable) {
  const MemoryCategory largest = largest_category(memory);
  const bool is_host = memory.total_bytes <= usable;
  const std::string what =
      is_host ? concat("short of host memory: ", format_bytes(memory.host_bytes),
                       " of each device of stage ", memory.stage, " are offloaded: ")
              : concat("short by ", format_bytes(memory.total_bytes - usable), " on stage ",
                       memory.stage, " (", to_string(largest), " ",
                       format_bytes(memory.bytes[static_cast<size_t>(largest)]), "): ");
  return concat(what, "tp=", candidate.mesh.tp, " pp=", candidate.mesh.pp,
                " dp=", candidate.mesh.dp, " cp=", candidate.mesh.cp, " ep=", candidate.mesh.ep,
                " zero=", candidate.zero_stage, " micro_batch=", candidate.micro_batch, " ",
                to_string(candidate.schedule), " recompute=", to_string(candidate.recompute));
}

Timeline predicted_timeline(const Plan& plan) {
  CHECK(!plan.predicted.stages.empty(), "the plan carries no predicted seconds");
  return simulate(build_schedule(plan), plan.predicted.stages);
}

Plan predict(const Job& job, const Candidate& candidate, const StageMemory& memory,
             const std::vector<StageTime>& times) {
  Plan plan = to_plan(job, candidate);
  Prediction& p = plan.predicted;
  p.stack = job.stack.name;
  p.memory_bytes = memory.bytes;
  p.peak_bytes = memory.total_bytes;
  p.host_bytes = memory.host_bytes;
  p.fits_probability = fits_probability(job, candidate, {memory.total_bytes, memory.routed_bytes});
  p.stages = durations_of(times);
  const Timeline timeline = predicted_timeline(plan);
  p.step_s = timeline.step_s;
  p.bubble_fraction = bubble_fraction(timeline, static_cast<int>(plan.mesh.pp));
  const StepUse use = step_use(times, plan.num_microbatches(), plan.mesh.pp, p.step_s);
  p.exposed_comm_s = use.communication_s;
  predict_rates(job, plan);
  predict_totals(job, use, p);
  return plan;
}

Verdict evaluate(const Job& job, const Candidate& candidate, LayerCostCache& cache) {
  Verdict verdict;
  validate(to_plan(job, candidate));
  const std::vector<StageLayers> stages = stage_layers(job.model, candidate);
  const LayerCosts& costs = cache.costs(candidate);
  const ElementTable& elements = cache.elements(candidate);
  const StageMemory memory = fullest_stage(job, candidate, stages, elements, costs);
  const int64_t usable = usable_bytes(job, candidate, memory.routed_bytes);
  if (const int64_t missing = missing_bytes(job, candidate, memory); missing > 0) {
    verdict.missing_bytes = missing;
    verdict.reason = describe_shortage(memory, candidate, usable);
    return verdict;
  }
  const Placements placements = place_all(candidate.mesh, job);
  verdict.plan = predict(job, candidate, memory,
                         stage_times(job, candidate, stages, elements, costs, placements));
  verdict.feasible = true;
  return verdict;
}

}  // namespace argosy
