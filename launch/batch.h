// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What batch systems are told of a job's ranks: Slurm of its nodes, Kubernetes of its pods.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "planner/spec/plan.h"

namespace argosy {

struct BatchRanks {
  const char* scheduler;  // as --scheduler has it
  const char* holder;     // of --ranks-per-node devices: "a node"
  int64_t per_node = 0;   // 0: not given
  int64_t threads_per_rank = 0;
  std::string plan_path;                       // for messages
  std::optional<PlannedDevices> planned = {};  // whose nodes are taken where per_node is not given
};

// Ranks of each node: all of them where a node has devices to spare. Throws ConfigError naming the
// option where one is missing or the ranks do not divide.
int64_t ranks_of_node(const BatchRanks& asked, int64_t num_ranks);

}  // namespace argosy
