// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The command line of argosy-launch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace argosy {

enum class Scheduler { mpirun, slurm };

struct LaunchOptions {
  std::string plan;
  std::string hostfile;          // empty: this machine
  int64_t threads_per_rank = 0;  // 0: as many as the cores give
  Scheduler scheduler = Scheduler::mpirun;
  int64_t ranks_per_node = 0;  // with slurm
  int max_restarts = 0;
  std::vector<std::string> sbatch;  // more options of it, as "time=24:00:00"
  bool dry_run = false;
  bool help = false;
  std::vector<std::string> trainer_arguments;  // what stands behind --
};

// `arguments` without the program's name. Throws ConfigError for unknown, missing and not yet
// supported options.
LaunchOptions parse_options(const std::vector<std::string>& arguments);

std::string launch_usage();

}  // namespace argosy
