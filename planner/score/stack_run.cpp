// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/stack_run.h"

namespace argosy {

namespace {

constexpr int64_t kShortRounds = 2;  // of pp micro-batches, after which a pipeline is in its stride

// Stages of equal size; where they do not divide, embedding and head count as a layer each if the
// layers divide so (Megatron-LM's account_for_embedding_in_pipeline_split, Llama 3 405B).
std::vector<StageLayers> layers_of_stages(const ModelSpec& model, int64_t num_stages) {
  const bool counts_ends =
      model.num_layers % num_stages != 0 && (model.num_layers + 2) % num_stages == 0;
  if (!counts_ends) return stage_layers(model, num_stages);
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

}  // namespace

StackRun make_stack_run(const Job& job, const Candidate& candidate) {
  StackRun run;
  run.job = job;
  run.candidate = candidate;
  run.num_microbatches = num_microbatches(job, candidate);
  run.works = layer_works(job, candidate);
  run.stages = layers_of_stages(job.model, candidate.num_stages());
  run.elements = count_elements(job, candidate);
  run.placements = place_all(candidate.mesh, job);
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

double step_seconds(const StackRun& run) {
  std::vector<StageDurations> durations;
  for (const StageTime& time : stage_times(run.job, run.candidate, run.stages, run.elements,
                                           layer_costs_of(run), run.placements)) {
    durations.push_back(time.durations);
  }
  const double seconds = run.short_program.step_s(durations);
  if (run.num_microbatches <= run.long_microbatches) return seconds;
  const double round_s = run.long_program.step_s(durations) - seconds;
  const double rounds = static_cast<double>(run.num_microbatches - run.short_microbatches) /
                        static_cast<double>(run.candidate.mesh.pp);
  return seconds + rounds * round_s;
}

}  // namespace argosy
