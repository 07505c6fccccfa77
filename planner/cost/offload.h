// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The optimizer in the host's memory (ZeRO-Offload, Ren et al. 2021, arXiv:2101.06840): gradients
// go down the link of a device, the host's cores update the shards, weights come back up.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/cost/job.h"
#include "planner/cost/state_memory.h"

namespace argosy {

// Kept in the host's memory for one owned element: the optimizer's state, and the gradient that
// arrived.
int64_t host_bytes_per_element(const Job& job);

// Seconds of a step for a rank with these buckets, 0 unless the candidate offloads: the slower of
// transfer and update, which work on one part after the other at once. Gradients and weights travel
// in both directions at the same time. Nothing of it hides behind backward here: the first gradient
// is whole when the last micro-batch is through.
double offload_seconds(const Job& job, const Candidate& candidate,
                       const std::vector<StageBucket>& buckets);

// Bytes of a node's memory that are missing, for each of its devices; at most 0: it fits.
int64_t missing_host_bytes(const ClusterSpec& cluster, int64_t host_bytes);

// Throws ConfigError if the cluster's file does not describe its hosts.
void require_host(const ClusterSpec& cluster);
// True if it does.
bool has_host(const ClusterSpec& cluster);

}  // namespace argosy
