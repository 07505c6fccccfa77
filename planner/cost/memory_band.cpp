// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/memory_band.h"

#include <algorithm>
#include <cmath>

namespace argosy {

namespace {

// Bytes that context and communicators leave.
double free_bytes(const Job& job, const Candidate& candidate) {
  return static_cast<double>(job.cluster.accelerator.memory_bytes -
                             job.cluster.accelerator.context_bytes -
                             communicator_bytes(job, candidate.mesh));
}

// Standard deviation of the rows of experts, bytes. A capacity bounds them, and a rank with all
// experts of its group gets what it sends.
double routed_deviation(const Job& job, const Candidate& candidate, int64_t routed_bytes) {
  if (!job.model.has_moe() || candidate.mesh.ep <= 1 || candidate.moe_capacity_factor > 0) return 0;
  const double experts =
      static_cast<double>(job.model.moe.num_experts) / static_cast<double>(candidate.mesh.ep);
  return kExpertLoadDeviation / std::sqrt(experts) * static_cast<double>(routed_bytes);
}

double normal_cdf(double z) {
  return std::erfc(-z / std::sqrt(2.0)) / 2;
}

// By bisection: asked once a search or candidate.
double normal_quantile(double probability) {
  double low = -9, high = 9;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (normal_cdf(middle) < probability ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

int64_t communicator_bytes(const Job& job, const Mesh& mesh) {
  int64_t num_groups = 0;
  for (Axis axis : {Axis::tp, Axis::cp, Axis::dp_cp, Axis::pp, Axis::zero_shard, Axis::zero_replica,
                    Axis::world}) {
    if (degree(mesh, axis) > 1) ++num_groups;
  }
  for (Axis axis :
       {Axis::etp, Axis::ep, Axis::edp, Axis::expert_zero_shard, Axis::expert_zero_replica}) {
    if (job.model.has_moe() && degree(mesh, axis) > 1) ++num_groups;
  }
  // Copies of key/value heads, and those of a tied table, sum their gradients.
  if (mesh.tp > job.model.num_kv_heads && job.model.num_kv_heads > 0) ++num_groups;
  if (job.model.needs_embedding_at_end() && degree(mesh, Axis::embedding) > 1) ++num_groups;
  return num_groups * job.cluster.collectives.channels * kNcclChannelBytes;
}

double fits_probability(const Job& job, const Candidate& candidate, const TensorBytes& tensors) {
  if (!has_memory_band(job.cluster)) {
    return tensors.all <= unreserved_bytes(job.cluster.accelerator) ? 1 : 0;
  }
  const double all = static_cast<double>(tensors.all);
  const double left = free_bytes(job, candidate) - all * (1 + kFragmentationMean);
  const double deviation =
      std::hypot(all * kFragmentationDeviation, routed_deviation(job, candidate, tensors.routed));
  return deviation > 0 ? normal_cdf(left / deviation) : (left >= 0 ? 1 : 0);
}

// With z deviations of head room: left = all (1 + m) + z sqrt((all d)^2 + r^2), solved for all.
int64_t usable_bytes(const Job& job, const Candidate& candidate, int64_t routed_bytes) {
  if (job.fit_probability <= 0 || !has_memory_band(job.cluster)) {
    return unreserved_bytes(job.cluster.accelerator);
  }
  const double left = free_bytes(job, candidate), z = normal_quantile(job.fit_probability);
  const double grown = 1 + kFragmentationMean, spread = z * kFragmentationDeviation;
  const double routed = z * routed_deviation(job, candidate, routed_bytes);
  const double square = grown * grown - spread * spread;
  const double root =
      std::sqrt(std::max(0.0, spread * spread * left * left + square * routed * routed));
  return static_cast<int64_t>((left * grown - (z > 0 ? root : -root)) / square);
}

}  // namespace argosy
