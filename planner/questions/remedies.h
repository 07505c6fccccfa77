// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where no plan fits: what would have to change.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/cost/fixed.h"
#include "planner/cost/job.h"

namespace argosy {

// One change, and the best plan with it.
struct Remedy {
  std::string decision;  // "offload=optimizer", "--devices 256", "without --fix"
  bool fits = false;
  std::string reason;  // how long a step takes and what is decided, or why it does not fit either
};

// In this order, where they apply: without what --fix decides; the optimizer on the host, if the
// cluster's file describes hosts; more devices of the cluster, doubled until a plan fits. Each
// alone, nothing else changed.
std::vector<Remedy> remedies(const Job& job, const Fixed& fixed, int num_threads);

}  // namespace argosy
