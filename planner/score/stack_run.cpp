// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/stack_run.h"

#include "planner/cost/stage_split.h"
#include "planner/cost/step_bound.h"

namespace argosy {

namespace {

constexpr int64_t kShortRounds = 2;  // of pp micro-batches, after which a pipeline is in its stride

// By rates that are the same for all profiles: the split does not change with what is fitted.
std::vector<StageLayers> balanced_stages(const StackRun& run) {
  Job job = run.job;
  job.stack.numbers = StackNumbers{};
  Candidate balanced = run.candidate;
  balanced.layers_per_stage =
      balanced_layers(job.model,
                      layer_times(job, balanced, run.elements,
                                  cost_layers(job, balanced, run.works), run.placements, false),
                      balanced.num_stages());
  return stage_layers(job.model, balanced);
}

// Stages of equal size; where they do not divide, embedding and head count as a layer each if the
// layers divide so (Megatron-LM's account_for_embedding_in_pipeline_split, Llama 3 405B).
std::vector<StageLayers> layers_of_stages(const StackRun& run) {
  const ModelSpec& model = run.job.model;
  const Candidate& candidate = run.candidate;
  const int64_t num_stages = candidate.num_stages();
  const bool divides = model.num_layers % num_stages == 0 || !candidate.layer_recompute.empty();
  const bool counts_ends =
      !divides && model.num_mtp_modules == 0 && (model.num_layers + 2) % num_stages == 0;
  if (!divides && !counts_ends && run.job.stack.facts.balances_stages) return balanced_stages(run);
  if (!counts_ends) return stage_layers(model, candidate);
  const int64_t slots = (model.num_layers + 2) / num_stages;
  std::vector<StageLayers> stages(static_cast<size_t>(num_stages));
  int64_t layer = 0;
  for (int64_t stage = 0; stage < num_stages; ++stage) {
    const int64_t ends = (stage == 0 ? 1 : 0) + (stage + 1 == num_stages ? 1 : 0);
    for (int64_t i = 0; i < slots - ends; ++i, ++layer) {
      ++stages[static_cast<size_t>(stage)][static_cast<size_t>(kind_of_layer(model, layer))];
    }
  }
  stages.front()[static_cast<size_t>(LayerKind::embedding)] = 1;
  stages.back()[static_cast<size_t>(LayerKind::head)] = 1;
  return stages;
}

// Of blocks that are computed again beside others that are not.
void add_recomputed(const Job& job, Candidate candidate, LayerWorks& works) {
  candidate.layer_recompute.clear();
  for (const Recompute recompute : {Recompute::selective, Recompute::full}) {
    candidate.recompute = recompute;
    const LayerWorks again = layer_works(job, candidate);
    for (size_t kind = 0; kind < kNumBaseKinds; ++kind) {
      works[static_cast<size_t>(with_recompute(static_cast<LayerKind>(kind), recompute))] =
          again[kind];
    }
  }
}

}  // namespace

StackRun make_stack_run(const Job& job, const Candidate& candidate) {
  StackRun run;
  run.job = job;
  run.candidate = candidate;
  run.num_microbatches = num_microbatches(job, candidate);
  run.works = layer_works(job, candidate);
  if (!candidate.layer_recompute.empty()) add_recomputed(job, candidate, run.works);
  run.elements = count_elements(job, candidate);
  run.placements = place_all(candidate.mesh, job);
  run.stages = layers_of_stages(run);
  // From some micro-batches on each further round of pp takes equally long.
  const int64_t pp = candidate.mesh.pp, m = run.num_microbatches;
  const int64_t few = kShortRounds * pp;
  run.short_microbatches = m <= few + pp ? m : few + m % pp;
  run.long_microbatches = m <= few + pp ? m : run.short_microbatches + pp;
  const auto schedule = [&](int64_t microbatches) {
    return build_schedule(candidate.schedule, static_cast<int>(pp), static_cast<int>(microbatches),
                          static_cast<int>(candidate.virtual_stages));
  };
  run.short_schedule = schedule(run.short_microbatches);
  run.short_program = ScheduleProgram(run.short_schedule);
  if (m > run.short_microbatches) {
    run.long_program = ScheduleProgram(schedule(run.long_microbatches));
  }
  return run;
}

LayerCosts layer_costs_of(const StackRun& run) {
  return cost_layers(run.job, run.candidate, run.works);
}

double step_seconds(const StackRun& run, double limit_s) {
  const std::vector<StageTime> times = stage_times(run.job, run.candidate, run.stages, run.elements,
                                                   layer_costs_of(run), run.placements);
  const double least_s = step_bound_s(times, run.candidate.schedule, run.num_microbatches,
                                      run.candidate.virtual_stages);
  if (least_s >= limit_s) return least_s;
  std::vector<StageDurations> durations;
  durations.reserve(times.size());
  for (const StageTime& time : times) durations.push_back(time.durations);
  const double seconds = run.short_program.step_s(durations);
  if (run.num_microbatches <= run.short_microbatches) return seconds;
  const double round_s = run.long_program.step_s(durations) - seconds;
  const double rounds = static_cast<double>(run.num_microbatches - run.short_microbatches) /
                        static_cast<double>(run.candidate.mesh.pp);
  return seconds + rounds * round_s;
}

}  // namespace argosy
