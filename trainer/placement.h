// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where the ranks run and how they talk, as far as a user should know it before the first step.
#pragma once

#include <string>
#include <vector>

#include "comm/groups.h"

namespace argosy {

// What a rank may use. cpus: logical CPUs of the affinity masks of this job's ranks on the node,
// all together; 0: not known.
struct Placement {
  int node_cpus = 0;  // online
  int job_cpus = 0;
  int job_ranks = 1;    // on this node
  int num_threads = 1;  // OpenMP threads of this rank
  int num_cores = 1;    // physical cores of this rank's affinity mask
  int num_cpus = 1;     // its logical CPUs
  bool chosen = false;  // OMP_NUM_THREADS says how many threads there shall be
};
Placement placement_of_rank(int job_cpus, int job_ranks);

// Cores that the ranks of this node share, where there are more ranks than cores; 0: each can have
// its own, or nobody knows.
int shared_cores(const Placement& of_rank);

// Which of the GPUs that this process sees is its own: that of its number on the node, all GPUs
// being visible to each rank; or the only one, where a scheduler has hidden the others from it.
// Throws ConfigError where ranks would share a GPU and may not. Two ranks that see one and the same
// GPU are told apart by the communicator (comm/nccl), which knows what the GPU is.
struct GpuSeat {
  int local_rank = 0, local_size = 1;
  int num_visible = 0;
  bool share_gpus = false;
};
int gpu_of_rank(const GpuSeat& seat);

// Collective over world. What is wrong with the placement of some rank; the same on all ranks.
std::vector<std::string> placement_warnings(Communicator& world, const Placement& of_rank);

// How the axes of this rank communicate: "shared memory of the node (window of 6.8 MiB): tp, dp".
std::string describe_routes(const ProcessGroups& groups);
// Axes that have to use messages though their ranks share a node, with the reason.
std::vector<std::string> route_warnings(const ProcessGroups& groups);

}  // namespace argosy
