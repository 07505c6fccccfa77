// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/batch.h"

#include <algorithm>

#include "planner/spec/check.h"

namespace argosy {

int64_t ranks_of_node(const BatchRanks& asked, int64_t num_ranks) {
  const std::string scheduler = concat("--scheduler ", asked.scheduler, ": ");
  const int64_t per_node =
      asked.per_node == 0 && asked.planned ? asked.planned->per_node : asked.per_node;
  if (per_node == 0) {
    throw ConfigError(
        concat(scheduler, "--ranks-per-node is missing: the devices of ", asked.holder, ", as 8"));
  }
  if (asked.threads_per_rank == 0) {
    throw ConfigError(
        concat(scheduler, "--threads-per-rank is missing: the cores that each rank gets"));
  }
  const int64_t ranks = std::min(per_node, num_ranks);
  if (num_ranks % ranks != 0 && asked.per_node == 0) {
    throw ConfigError(concat("--ranks-per-node: ", per_node, ", which the nodes of --plan ",
                             asked.plan_path, " have, does not divide its ", num_ranks, " ranks"));
  }
  if (num_ranks % ranks != 0) {
    throw ConfigError(concat("--ranks-per-node: ", asked.per_node, " does not divide the ",
                             num_ranks, " ranks of --plan ", asked.plan_path));
  }
  return ranks;
}

}  // namespace argosy
