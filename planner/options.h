// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The command line of argosy-plan, and the job that it describes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/cost/fixed.h"
#include "planner/cost/job.h"

namespace argosy {

struct PlanOptions {
  std::string model, cluster;
  int64_t devices = 0, seq_len = 0, global_batch = 0;  // 0: default
  double tokens = 0;
  std::string task = "pretrain";
  int64_t lora_rank = 0;
  double lora_alpha = 0;  // 0: twice the rank
  std::string lora_targets = "all-linear";
  std::string optimizer = "adamw", precision = "bf16", objective = "time";
  std::string fix;
  int64_t top = 5, threads = 0;
  uint64_t seed = 1234;
  std::string out, report, trace, schedule_csv;
  bool json = false, explain = false;
};

struct CommandLine {
  PlanOptions options;
  std::string help;  // not empty: print it and stop
};

// Throws ConfigError naming option, value and what would be valid. Keys of --config FILE are the
// same options; the command line wins.
CommandLine parse_command_line(int argc, const char* const* argv);

struct Request {
  Job job;
  Fixed fixed;
  std::vector<std::string> warnings;
};

// Reads the files and fills the defaults. Throws ConfigError.
Request make_request(const PlanOptions& options);

}  // namespace argosy
