// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The command line of argosy-launch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace argosy {

enum class Scheduler { mpirun, slurm, kubernetes };

struct LaunchOptions {
  std::string plan;
  std::string hostfile;          // empty: this machine
  int64_t threads_per_rank = 0;  // 0: as many as the cores give
  bool binds_ranks = true;
  Scheduler scheduler = Scheduler::mpirun;
  int64_t ranks_per_node = 0;  // with slurm and kubernetes
  int max_restarts = 0;
  std::vector<std::string> sbatch;                  // more options of it, as "time=24:00:00"
  std::string image, job_name, name_space, memory;  // with kubernetes
  std::vector<std::string> claims;                  // "NAME:/path"
  bool dry_run = false;
  bool help = false;
  std::vector<std::string> trainer_arguments;  // what stands behind --
};

// `arguments` without the program's name. Throws ConfigError for options that are unknown, missing,
// or of another scheduler.
LaunchOptions parse_options(const std::vector<std::string>& arguments);

std::string launch_usage();

}  // namespace argosy
