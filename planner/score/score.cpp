// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/score.h"

#include <algorithm>
#include <limits>
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

StageMemory memory_of(const StackRun& run) {
  return stack_memory(run.job, run.candidate, run.stages, run.elements, layer_costs_of(run),
                      max_in_flight(run.short_schedule));
}

// What a source says of memory: the peak, or what is left after the update.
double read_bytes(const StackRun& run, const StackProfile& stack) {
  const StageMemory memory = memory_of(run);
  if (!stack.reads_memory_after_update) return static_cast<double>(memory.total_bytes);
  double bytes = 0;
  for (const MemoryCategory kept :
       {MemoryCategory::parameters, MemoryCategory::gradients, MemoryCategory::optimizer}) {
    bytes += static_cast<double>(memory.bytes[static_cast<size_t>(kept)]);
  }
  return bytes;
}

std::string setting_of(const PublishedRun& run) {
  return concat(run.gpu, ' ', run.num_gpus.value_or(0), ' ', run.global_batch_seqs.value_or(0), ' ',
                run.seq_len.value_or(0), ' ', run.precision, ' ', run.task);
}

bool fits(const StackRun& run) {
  const auto capacity = static_cast<double>(run.job.cluster.accelerator.memory_bytes);
  return static_cast<double>(memory_of(run).total_bytes) <= kUsableShare * capacity;
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
    prepared.stack = &stack_of_run(files.stacks, run.source, run.notes, run.precision);
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
  score.setting = setting_of(run);
  score.is_lora = run.task == "lora";
  score.reason = prepared.reason;
  if (!score.reason.empty()) return score;
  score.stack = prepared.stack->name;
  size_t best = 0;
  double best_s = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < prepared.configurations.size(); ++i) {
    const double seconds = step_seconds(prepared.configurations[i], best_s);
    if (seconds >= best_s) continue;
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
    score.predicted_bytes = read_bytes(chosen, *prepared.stack);
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

namespace {

struct Point {
  double predicted = 0, measured = 0;
};

// Adds what the planner's pick among rows of one setting loses.
void add_regret(const std::vector<Point>& seconds, std::vector<double>& regrets) {
  if (seconds.size() < 2) return;
  const auto by_prediction = [](const Point& a, const Point& b) {
    return a.predicted < b.predicted;
  };
  const auto by_measurement = [](const Point& a, const Point& b) {
    return a.measured < b.measured;
  };
  const auto pick = std::min_element(seconds.begin(), seconds.end(), by_prediction);
  const auto best = std::min_element(seconds.begin(), seconds.end(), by_measurement);
  regrets.push_back(pick->measured / best->measured - 1);
}

// Rows that are counted together. Pairs and picks are within one source, model and setting.
class Collected {
 public:
  void add(const RunScore& row) {
    if (!row.reason.empty()) ++unrepresented_;
    if (row.has_memory()) memory_.push_back(row.memory_error());
    if (!row.has_step()) return;
    errors_.push_back(row.error());
    const std::string model = row.group + '|' + row.model;
    speeds_[model].emplace_back(row.tokens_per_step_per_device / row.predicted_step_s,
                                row.tokens_per_step_per_device / row.measured_step_s);
    seconds_[model + '|' + row.setting].push_back({row.predicted_step_s, row.measured_step_s});
  }

  GroupScore score() const {
    GroupScore group;
    group.errors = error_statistics(errors_);
    group.memory = error_statistics(memory_);
    group.unrepresented = unrepresented_;
    RankPairs pairs;
    for (const auto& [model, points] : speeds_) pairs += rank_pairs(points);
    group.tau = pairs.tau();
    std::vector<double> regrets;
    for (const auto& [setting, points] : seconds_) add_regret(points, regrets);
    const ErrorStatistics regret = error_statistics(regrets);
    group.num_picks = regret.n;
    group.mean_regret = regret.mape;
    group.max_regret = quantile(regrets, 1);
    return group;
  }

 private:
  std::vector<double> errors_, memory_;
  std::map<std::string, std::vector<std::pair<double, double>>> speeds_;
  std::map<std::string, std::vector<Point>> seconds_;
  int64_t unrepresented_ = 0;
};

}  // namespace

Score summarize(std::vector<RunScore> rows) {
  std::map<std::string, Collected> groups;
  Collected total, lora;
  for (const RunScore& row : rows) {
    groups[row.group].add(row);
    total.add(row);
    if (row.is_lora) lora.add(row);
  }
  Score score;
  for (const auto& [name, group] : groups) score.groups[name] = group.score();
  score.total = total.score();
  score.lora = lora.score();
  score.rows = std::move(rows);
  return score;
}

}  // namespace argosy
