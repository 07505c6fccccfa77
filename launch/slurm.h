// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// From a plan to a batch script of Slurm (slurm.schedmd.com/sbatch.html). Pure, so that --dry-run
// prints what would be submitted and tests read it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "planner/spec/mesh.h"
#include "planner/spec/plan.h"

namespace argosy {

struct SlurmJob {
  std::string name;  // of the job in queues
  Mesh mesh;
  std::string plan;            // path, handed on to the trainer
  int64_t ranks_per_node = 0;  // 0: not said, the devices of a node of the plan
  std::optional<PlannedDevices> planned = {};
  int64_t threads_per_rank = 0;     // 0: not said; cores of a rank, and its OpenMP threads
  int max_restarts = 0;             // after failures; a job that was stopped always goes on
  std::vector<std::string> sbatch;  // more of its options, as "time=24:00:00"
  std::string trainer;              // path of argosy-train
  std::vector<std::string> trainer_arguments;
};

// The script: srun starts the ranks, by PMIx. Five minutes before its end, or when it is preempted,
// Slurm sends SIGUSR1 to the ranks, which save and end with kExitRequeue; the script then puts
// itself into the queue again, and what starts again resumes from the newest checkpoint. Throws
// ConfigError where ranks a node or cores a rank are not said, and for an order of ranks that Slurm
// would not follow.
std::string slurm_script(const SlurmJob& job);

}  // namespace argosy
