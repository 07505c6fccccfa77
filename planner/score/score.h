// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Predictions of published runs, and how far they are off.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "planner/score/run_setup.h"
#include "planner/score/stack_run.h"
#include "planner/score/statistics.h"

namespace argosy {

// A row made ready: its configurations with everything that does not depend on fitted numbers.
struct PreparedRun {
  PublishedRun run;
  const StackProfile* stack = nullptr;
  std::vector<StackRun> configurations;  // with the profile's numbers
  std::vector<double> measured_s;        // [configurations]: differ only by how FLOPs are counted
  std::string reason;                    // not empty: why the row is not represented
  bool is_extra = false;                 // from the notes of another row: fitted to, not scored
};

struct RunScore {
  std::string id, group, model, stack;
  std::string
      setting;  // hardware, batch, sequences, precision and task: what a planner does not pick
  bool is_lora = false;
  std::string reason;                                // not empty: the row is not represented
  double predicted_step_s = 0, measured_step_s = 0;  // measured 0: only memory was measured
  double tokens_per_step_per_device = 0;
  double predicted_bytes = 0, measured_bytes = 0;  // measured 0: not measured

  bool has_step() const { return reason.empty() && measured_step_s > 0; }
  bool has_memory() const { return reason.empty() && measured_bytes > 0; }
  double error() const { return predicted_step_s / measured_step_s - 1; }
  double memory_error() const { return predicted_bytes / measured_bytes - 1; }
};

struct GroupScore {
  ErrorStatistics errors, memory;
  double tau = 0;  // of tokens/s per device, over pairs of rows of one group and model
  // Of rows of one group, model and setting: measured time of the one that is predicted fastest
  // over that of the fastest, less 1; over `num_picks` sets of two and more rows.
  int64_t num_picks = 0;
  double mean_regret = 0, max_regret = 0;
  int64_t unrepresented = 0;
};

struct Score {
  std::vector<RunScore> rows;                // as in the table
  std::map<std::string, GroupScore> groups;  // by the part of the id before its number
  GroupScore total, lora;  // lora: rows of adapters, of all sources; they are in their groups too
};

struct ScoreFiles {
  std::vector<StackProfile> stacks;
  std::vector<ClusterSpec> accelerators;
};
ScoreFiles read_score_files(const std::filesystem::path& configs);

PreparedRun prepare(const PublishedRun& run, const ScoreFiles& files);

// At the configuration that is fastest among those that fit; if none does, the fastest of all.
RunScore predict(const PreparedRun& prepared);
// With other numbers than those of the profile; they stay in `prepared`.
RunScore predict(PreparedRun& prepared, const StackNumbers& numbers);

// `progress` is told rows done and rows in all.
Score score_runs(const std::vector<PublishedRun>& runs, const ScoreFiles& files,
                 const std::function<void(size_t, size_t)>& progress = {});
Score summarize(std::vector<RunScore> rows);

// <= 100 columns.
std::string score_text(const Score& score);
std::string score_json(const Score& score);

}  // namespace argosy
