// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The folder of a run. One rank (0) holds the object; the others stay away from these files.
//   plan.json      the plan that runs; plan.step_N.json: an older one, which ran up to step N
//   run.cfg        every option as resolved; --config reads it back
//   metrics.jsonl  a JSON object a step (metrics.h)
//   events.jsonl   what else happened: {"time", "step", "event", "message"}
//   machine.json   what it runs on (RunMachine)
//   status.json    how it goes or how it ended: {"state", "exit_code", "step": the last one done,
//                  "message", "started", "ended", "updated_unix_s": when this was written, "host",
//                  "pid": of rank 0}; one that is killed stays "running" with a pid that is gone
//   report.html, trace.json, checkpoints/
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "planner/spec/clock.h"
#include "planner/spec/types.h"
#include "trainer/run/metrics.h"

namespace argosy {

enum class RunState { running, done, failed, requeue };
std::string_view to_string(RunState state);

// What a run ran on: the planner learns from it only for the same kind of machine.
struct RunMachine {
  Device device = Device::cpu;
  std::string cpu;                     // as Linux names it
  int64_t cores = 0;                   // that rank 0 may use: one where ranks are bound
  int64_t ranks = 0, local_ranks = 0;  // all of them, those on the first machine
  int64_t threads_per_rank = 1;
  double peak_flops_per_s = 0;  // of the average rank, measured at start
  int64_t first_step = 1;       // earlier lines of metrics.jsonl are of another start
  std::string gpu = {};         // of rank 0, as the driver names it; empty: none
  int64_t gpu_memory_bytes = 0;
};

class RunDir {
 public:
  // Creates the folder. Throws ConfigError if it cannot be, if no file can be made in it or in its
  // checkpoints, or if it holds checkpoints and this is not a resume: they would be mixed with
  // those of another run.
  RunDir(std::filesystem::path path, bool is_resume);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path plan() const { return path_ / "plan.json"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path report() const { return path_ / "report.html"; }
  std::filesystem::path trace() const { return path_ / "trace.json"; }

  // Call first: writes plan.json and run.cfg, drops the metrics of steps after `resume_step` (0:
  // all of them) and opens metrics.jsonl and events.jsonl for appending. A plan.json that differs
  // stays as plan.step_<resume_step>.json. Throws Error naming the file that cannot be written.
  void begin(std::string_view plan_json, std::string_view run_cfg, int64_t resume_step);

  // Which start of the job this is, from 1: one more than the steps before it tell. A start that
  // has left no step does not count. begin() comes first.
  int64_t start() const { return start_; }

  // Each line is handed to the system before the call returns: a crash of the program loses none.
  // Metrics bring status.json up to date as well, at most once a second.
  void append(const StepMetrics& metrics);
  void append_event(int64_t step, std::string_view event, std::string_view message);

  // Replaces machine.json.
  void write_machine(const RunMachine& machine) const;

  // Replaces status.json; `exit_code` and the time of the end are null while running.
  void write_status(RunState state, int exit_code, int64_t step, std::string_view message);

 private:
  std::filesystem::path path_;
  std::string started_;  // ISO 8601, UTC
  int64_t start_ = 0;
  std::ofstream metrics_, events_;
  Clock::time_point status_written_ = Clock::now();
};

// For a rank that fails while rank 0 waits for it: a status.json that says "running" becomes
// "failed", at the last step of metrics.jsonl. Leaves any other as it is, and throws nothing: there
// is a failure to tell already.
void write_failure_of_rank(const std::filesystem::path& run_dir, int exit_code,
                           std::string_view message) noexcept;

}  // namespace argosy
