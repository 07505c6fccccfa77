// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the planner says today of a plan that has run, in the kinds of work that a run measures.
#pragma once

#include "planner/calibrate/run_record.h"
#include "planner/spec/cluster.h"

namespace argosy {

// `cluster` as its file says, whatever its number of devices: the plan's ranks see their share.
// Throws ConfigError if the plan's stages or recomputation are none that the planner decides.
WorkSeconds predicted_work(const Plan& plan, const ClusterSpec& cluster);

}  // namespace argosy
