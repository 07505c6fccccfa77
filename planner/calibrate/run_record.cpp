// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/calibrate/run_record.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "planner/calibrate/statistics.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

constexpr size_t kFewestSteps = 5;
constexpr size_t kLeastWarmUp = 3;  // and a fifth of the steps

// The named file of a run; a folder that is no run's is told as such.
std::string read_part(const std::filesystem::path& folder, const char* file, const char* why) {
  const std::filesystem::path path = folder / file;
  if (!exists(path)) {
    throw ConfigError(concat("--learn ", folder.string(), ": there is no ", file, " in it: ", why));
  }
  return read_text_file(path);
}

WorkSeconds read_step(JsonObject& line) {
  for (const char* key : {"parts_s", "ops_s", "collectives_s"}) {
    if (!line.has(key)) {
      line.fail(key, "missing: an argosy-train of before wrote this; valid: runs of this version");
    }
  }
  JsonObject parts = line.object("parts_s"), ops = line.object("ops_s"),
             collectives = line.object("collectives_s");
  WorkSeconds work;
  work.step_s = line.positive_number("step_s");
  work.matmul_s = ops.number("matmul");
  work.attention_s = ops.number("attention");
  work.memory_s =
      parts.number("compute") + parts.number("optimizer") - work.matmul_s - work.attention_s;
  for (int kind = 0; kind < kNumCollectiveKinds; ++kind) {
    const std::string name(to_string(static_cast<CollectiveKind>(kind)));
    work.collective_s[static_cast<size_t>(kind)] = collectives.number(name, 0.0);
  }
  return work;
}

// A last line that a crash cut short has no end and does not count.
std::vector<WorkSeconds> read_steps(const std::string& text, const std::string& where,
                                    int64_t first_step) {
  std::vector<WorkSeconds> steps;
  size_t begin = 0;
  for (int64_t number = 1; begin < text.size(); ++number) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;
    const std::string place = concat(where, " line ", number);
    const Json json = parse_json(std::string_view(text).substr(begin, end - begin), place);
    JsonObject line(json, place);
    if (line.positive_integer("step") >= first_step) steps.push_back(read_step(line));
    begin = end + 1;
  }
  return steps;
}

template <typename Get>
double median_over(const std::vector<WorkSeconds>& steps, const Get& get) {
  std::vector<double> values;
  for (const WorkSeconds& step : steps) values.push_back(get(step));
  return median(values);
}

WorkSeconds medians(const std::vector<WorkSeconds>& steps) {
  WorkSeconds m;
  m.step_s = median_over(steps, [](const WorkSeconds& s) { return s.step_s; });
  m.matmul_s = median_over(steps, [](const WorkSeconds& s) { return s.matmul_s; });
  m.attention_s = median_over(steps, [](const WorkSeconds& s) { return s.attention_s; });
  m.memory_s = median_over(steps, [](const WorkSeconds& s) { return s.memory_s; });
  for (size_t kind = 0; kind < m.collective_s.size(); ++kind) {
    m.collective_s[kind] =
        median_over(steps, [kind](const WorkSeconds& s) { return s.collective_s[kind]; });
  }
  return m;
}

}  // namespace

RunRecord read_run(const std::filesystem::path& folder) {
  if (!is_directory(folder)) {
    throw ConfigError(
        concat("--learn ", folder.string(), ": is no folder; valid: folders of runs"));
  }
  RunRecord run;
  run.name = folder.string();
  run.plan = parse_plan(read_part(folder, "plan.json", "a run without its plan cannot be compared"),
                        (folder / "plan.json").string());
  const std::string machine_path = (folder / "machine.json").string();
  const Json machine_json = parse_json(
      read_part(folder, "machine.json", "an argosy-train of before wrote this run"), machine_path);
  JsonObject machine(machine_json, machine_path);
  run.cpu = machine.text("cpu");
  run.threads_per_rank = machine.positive_integer("threads_per_rank");
  run.peak_flops_per_s = machine.positive_number("peak_flops_per_s");
  const std::string metrics_path = (folder / "metrics.jsonl").string();
  std::vector<WorkSeconds> steps = read_steps(read_part(folder, "metrics.jsonl", "it has no steps"),
                                              metrics_path, machine.positive_integer("first_step"));
  const size_t warm_up = std::max(kLeastWarmUp, steps.size() / 5);
  if (steps.size() < warm_up + kFewestSteps) {
    throw ConfigError(concat("--learn ", metrics_path, ": ", steps.size(),
                             " steps since the run's start; valid: at least ",
                             kLeastWarmUp + kFewestSteps, ", of which the first ", kLeastWarmUp,
                             " do not count"));
  }
  steps.erase(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(warm_up));
  run.num_steps = static_cast<int64_t>(steps.size());
  run.measured = medians(steps);
  const double middle = run.measured.step_s;
  run.scatter =
      kNormalScatter *
      median_over(steps, [middle](const WorkSeconds& s) { return std::abs(s.step_s - middle); }) /
      middle;
  return run;
}

}  // namespace argosy
