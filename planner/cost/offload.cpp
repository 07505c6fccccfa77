// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/offload.h"

#include <algorithm>

#include "planner/spec/check.h"
#include "planner/spec/host_loads.h"

namespace argosy {

double offload_seconds(const Job& job, const Candidate& candidate,
                       const std::vector<StageBucket>& buckets) {
  if (candidate.offload == Offload::none) return 0;
  const ClusterSpec& cluster = job.cluster;
  int64_t elements = 0;
  for (const StageBucket& bucket : buckets) {
    if (is_trainable(bucket.domain)) elements += bucket.count * bucket.shard_elements(candidate);
  }
  const double count = static_cast<double>(elements);
  const int64_t up = size_in_bytes(compute_dtype(job.precision));
  const int64_t down =
      size_in_bytes(gradient_dtype(job.precision)) + (job.stack.facts.is_own ? up : 0);
  const double transfer_s =
      count * static_cast<double>(std::max(down, up)) / cluster.host_link_bytes_per_s;
  const double share_bytes_per_s =
      cluster.host_memory_bytes_per_s / static_cast<double>(cluster.devices_per_node);
  const double update_s =
      count * static_cast<double>(update_bytes_per_element(job)) / share_bytes_per_s;
  return std::max(transfer_s, update_s);
}

int64_t missing_host_bytes(const Job& job, int64_t host_bytes) {
  const int64_t staging_bytes = host_bytes > 0 ? host_staging_bytes(job.precision) : 0;
  return host_bytes + staging_bytes -
         job.cluster.host_memory_bytes / std::max<int64_t>(1, job.cluster.devices_per_node);
}

bool has_host(const ClusterSpec& cluster) {
  return cluster.host_memory_bytes > 0 && cluster.host_link_bytes_per_s > 0 &&
         cluster.host_memory_bytes_per_s > 0;
}

void require_host(const ClusterSpec& cluster) {
  if (has_host(cluster)) return;
  throw ConfigError(concat("--fix: offload=optimizer, but ", cluster.name,
                           " has no \"host\" section (memory_bytes, memory_bytes_per_s, "
                           "link_bytes_per_s); valid: a cluster with one, or offload=none"));
}

}  // namespace argosy
