// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The optimizer in the host's memory (ZeRO-Offload, Ren et al. 2021, arXiv:2101.06840): gradients
// go down the link of a device, the host's cores update the shards, weights come back up. The
// trainer's host has the state alone: weights go down too, with their gradients. Other frameworks
// keep whole masters there.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/cost/job.h"
#include "planner/cost/state_memory.h"

namespace argosy {

// Seconds of a step for a rank with these buckets, 0 unless the candidate offloads: the slower of
// transfer and update, which work on one part after the other at once. Gradients and weights travel
// in both directions at the same time. Nothing of it hides behind backward here: the first gradient
// is whole when the last micro-batch is through.
double offload_seconds(const Job& job, const Candidate& candidate,
                       const std::vector<StageBucket>& buckets);

// Bytes of a node's memory that are missing, for each of its devices, where these and what passes
// through the host (planner/spec/host_loads.h) are offloaded; at most 0: they fit.
int64_t missing_host_bytes(const Job& job, int64_t host_bytes);

// Throws ConfigError if the cluster's file does not describe its hosts.
void require_host(const ClusterSpec& cluster);
// True if it does.
bool has_host(const ClusterSpec& cluster);

}  // namespace argosy
