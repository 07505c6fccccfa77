// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a past run says: its plan, its machine and the medians of its steps.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

#include "planner/spec/ledger.h"
#include "planner/spec/plan.h"

namespace argosy {

// Seconds of a step by kind of work, of the average rank: what the cost model tells apart. Pipeline
// traffic and waiting are in step_s alone.
struct WorkSeconds {
  double matmul_s = 0, attention_s = 0;
  double memory_s = 0;  // every other op, the optimizer's included
  std::array<double, kNumCollectiveKinds> collective_s{};  // with waiting for slower ranks
  double step_s = 0;
};

struct RunRecord {
  std::string name;  // the folder, as it was given
  Plan plan;
  std::string cpu;  // of machine.json
  int64_t threads_per_rank = 1;
  double peak_flops_per_s = 0;  // of the average rank, measured at its start
  int64_t num_steps = 0;        // that count
  WorkSeconds measured;         // medians over them
  double scatter = 0;           // of step_s: 1.48 * median of |x - median|, over the median
};

// The steps of the run's last start, without the first fifth (three at least), which pay for first
// touches. Throws ConfigError naming folder, file and what is missing: plan.json, machine.json,
// five steps with "parts_s", "ops_s" and "collectives_s".
RunRecord read_run(const std::filesystem::path& folder);

}  // namespace argosy
