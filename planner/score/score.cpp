// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/score.h"

#include <algorithm>
#include <utility>

#include "planner/cost/stack_memory.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr double kGib = 1024.0 * 1024 * 1024;
// What a device without a prediction of its fragmentation can fill.
constexpr double kUsableShare = 0.97;

double peak_of(const StackRun& run) {
  const Accelerator& a = run.job.cluster.accelerator;
  return run.job.stack.format == ProductFormat::bf16 ? a.bf16_flops_per_s : a.fp8_flops_per_s;
}

int64_t peak_bytes(const StackRun& run) {
  return stack_memory(run.job, run.candidate, run.stages, run.elements, layer_costs_of(run),
                      max_in_flight(run.short_schedule))
      .total_bytes;
}

bool fits(const StackRun& run) {
  const auto capacity = static_cast<double>(run.job.cluster.accelerator.memory_bytes);
  return static_cast<double>(peak_bytes(run)) <= kUsableShare * capacity;
}

// Those that fit; all if none does.
std::vector<StackRun> fitting(std::vector<StackRun> runs) {
  std::vector<StackRun> good;
  for (const StackRun& run : runs) {
    if (runs.size() == 1 || fits(run)) good.push_back(run);
  }
  return good.empty() ? std::move(runs) : good;
}

}  // namespace

ScoreFiles read_score_files(const std::filesystem::path& configs) {
  return {read_stacks(configs / "stacks"), read_accelerators(configs / "accelerators")};
}

PreparedRun prepare(const PublishedRun& run, const ScoreFiles& files) {
  PreparedRun prepared;
  prepared.run = run;
  try {
    prepared.stack = &stack_of_run(files.stacks, run.source, run.notes);
    RunSetup setup = setup_of(run, *prepared.stack, files.accelerators);
    setup.job.stack.numbers =
        numbers_of(files.stacks, *prepared.stack, setup.job.cluster.accelerator.name);
    std::vector<StackRun> all;
    for (const Candidate& candidate : setup.candidates) {
      all.push_back(make_stack_run(setup.job, candidate));
    }
    prepared.configurations = fitting(std::move(all));
    for (const StackRun& configuration : prepared.configurations) {
      Candidate whole = configuration.candidate;  // how layers are split does not matter here
      whole.virtual_stages = 1;
      whole.schedule = ScheduleKind::one_f_one_b;
      Plan plan = to_plan(configuration.job, whole);
      plan.predicted.peak_flops_per_device = peak_of(configuration);
      prepared.measured_s.push_back(measured_step_s(run, plan));
    }
  } catch (const ConfigError& error) {
    prepared.reason = error.what();
  }
  const bool is_measured = run.meas_peak_mem_gb.has_value() ||
                           (!prepared.measured_s.empty() && prepared.measured_s.front() > 0);
  if (prepared.reason.empty() && !is_measured) prepared.reason = "nothing was measured";
  return prepared;
}

RunScore predict(PreparedRun& prepared, const StackNumbers& numbers) {
  for (StackRun& configuration : prepared.configurations) configuration.job.stack.numbers = numbers;
  return predict(static_cast<const PreparedRun&>(prepared));
}

RunScore predict(const PreparedRun& prepared) {
  const PublishedRun& run = prepared.run;
  RunScore score;
  score.id = run.id;
  score.group = run.group();
  score.model = run.model_name;
  score.reason = prepared.reason;
  if (!score.reason.empty()) return score;
  score.stack = prepared.stack->name;
  size_t best = 0;
  double best_s = 0;
  for (size_t i = 0; i < prepared.configurations.size(); ++i) {
    const double seconds = step_seconds(prepared.configurations[i]);
    if (i > 0 && seconds >= best_s) continue;
    best = i;
    best_s = seconds;
  }
  const StackRun& chosen = prepared.configurations[best];
  score.predicted_step_s = best_s;
  score.measured_step_s = prepared.measured_s[best];
  score.tokens_per_step_per_device = static_cast<double>(chosen.job.global_batch) *
                                     static_cast<double>(chosen.job.seq_len) /
                                     static_cast<double>(chosen.job.num_devices());
  if (run.meas_peak_mem_gb) {
    score.measured_bytes = *run.meas_peak_mem_gb * kGib;
    score.predicted_bytes = static_cast<double>(peak_bytes(chosen));
  }
  return score;
}

Score score_runs(const std::vector<PublishedRun>& runs, const ScoreFiles& files,
                 const std::function<void(size_t, size_t)>& progress) {
  std::vector<RunScore> rows;
  for (const PublishedRun& run : runs) {
    rows.push_back(predict(prepare(run, files)));
    if (progress) progress(rows.size(), runs.size());
  }
  return summarize(std::move(rows));
}

Score summarize(std::vector<RunScore> rows) {
  Score score;
  std::vector<double> all, memory;
  std::map<std::string, std::vector<double>> errors;
  std::map<std::pair<std::string, std::string>, std::vector<std::pair<double, double>>> speeds;
  for (const RunScore& row : rows) {
    GroupScore& group = score.groups[row.group];
    if (!row.reason.empty()) {
      ++group.unrepresented;
      ++score.total.unrepresented;
    }
    if (row.has_memory()) memory.push_back(row.memory_error());
    if (!row.has_step()) continue;
    all.push_back(row.error());
    errors[row.group].push_back(row.error());
    speeds[{row.group, row.model}].emplace_back(
        row.tokens_per_step_per_device / row.predicted_step_s,
        row.tokens_per_step_per_device / row.measured_step_s);
  }
  std::map<std::string, RankPairs> pairs;
  RankPairs total;
  for (const auto& [key, points] : speeds) {
    const RankPairs counted = rank_pairs(points);
    pairs[key.first] += counted;
    total += counted;
  }
  for (auto& [name, group] : score.groups) {
    group.errors = error_statistics(errors[name]);
    group.tau = pairs[name].tau();
  }
  score.total.errors = error_statistics(all);
  score.total.tau = total.tau();
  score.memory = error_statistics(memory);
  score.rows = std::move(rows);
  return score;
}

}  // namespace argosy
