// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// From a plan and machines to the line that starts the ranks with Open MPI's mpirun. Pure, so that
// --dry-run prints what would run and tests read it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launch/gpus.h"
#include "launch/hostfile.h"
#include "planner/spec/cores.h"
#include "planner/spec/mesh.h"

namespace argosy {

struct MpirunJob {
  int64_t num_ranks = 1;
  Mesh mesh;                             // whose order says which rank sits where
  std::string plan;                      // path, handed on to the trainer
  std::string hostfile;                  // path; empty: this machine alone
  std::vector<Host> hosts;               // what it says
  Cores cores;                           // of this machine; other hosts are taken to be like it
  std::optional<std::vector<Gpu>> gpus;  // that ranks of this machine see; nothing: not known
  int64_t threads_per_rank = 0;          // 0: cores / ranks
  bool binds_ranks = true;               // or cores are not counted, and threads_per_rank is said
  bool as_root = false;                  // Open MPI wants to be told
  std::string trainer;                   // path of argosy-train
  std::vector<std::string> trainer_arguments;
};

struct Command {
  std::vector<std::pair<std::string, std::string>> environment;  // set for it
  std::vector<std::pair<std::string, std::string>> defaults;     // set where the user has not
  std::vector<std::string> words;                                // program and arguments
};

// More ranks a core than this on one machine is taken for a plan of another cluster.
inline constexpr int64_t kMaxRanksPerCore = 16;

// Throws ConfigError, naming both numbers, when the hosts have fewer slots than the plan has ranks,
// when this machine alone would have to take more than kMaxRanksPerCore ranks a core, or when ranks
// times threads_per_rank are more than the cores. Ranks that all get a core of their own are bound
// to disjoint sets of cores, equally many each, and use as many OpenMP threads; else they share the
// cores, unbound, with one thread each.
//
// mpirun binds to the cores of the whole machine, whatever its own affinity mask says, and knows no
// kinds of cores. Where some are left out, by the mask or because they are small ones while there
// are enough large ones, each rank is started through taskset with the CPUs that are its own.
//
// Where the trainer's arguments say `--device cuda`, rank r of this machine has GPU r, and the
// cores of that GPU's NUMA node if they are known, shared among the ranks of that node. Throws
// ConfigError where there are fewer GPUs than ranks and no `--share-gpus`. On other hosts, whose
// GPUs nobody knows here, ranks are not bound: the trainer keeps each to the CPUs near its GPU.
//
// Without binds_ranks ranks use as many threads as was said, on the cores that the system gives
// them: a container has a part of its machine, and mpirun would bind those of two containers to the
// same cores.
//
// On several hosts an order of ranks other than tp-cp-dp-pp is a host for each rank (Open MPI's
// sequential mapper); it binds one core a rank, so that ranks with more threads are not bound.
Command mpirun_command(const MpirunJob& job);

// The command as a line for a POSIX shell.
std::string to_shell(const Command& command);

// True for what mpirun sets in the environment of its ranks. An mpirun started by a rank, or by a
// shell inside a job, must not see these: it would take itself for a part of that job. Options that
// a user sets (OMPI_MCA_btl ...) are not among them, nor those of Kubernetes' MPI operator.
bool belongs_to_running_job(std::string_view variable);

}  // namespace argosy
