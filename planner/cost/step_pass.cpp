// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/step_pass.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace argosy {

namespace {

// Megatron-LM's default size of a gradient bucket, at least so many that latency does not dominate.
constexpr double kBucketElements = 40e6, kBucketElementsPerRank = 1e6;

void add(Pass& pass, CollectiveKind kind, Axis axis, int64_t bytes, int64_t count = 1) {
  if (bytes > 0) pass.collectives.push_back({kind, axis, bytes, count});
}

// Sums of the shards of the first rank, where tensors that are summed stand in front.
void add_partial_sums(const Job& job, const Candidate& candidate,
                      const std::vector<StageBucket>& buckets, Domain domain, Pass& pass) {
  int64_t num_tp = 0, num_kv = 0, num_tied = 0;
  for (const StageBucket& bucket : buckets) {
    if (bucket.domain != domain) continue;
    const int64_t shard = bucket.shard_elements(candidate);
    const int64_t tp = std::min(shard, bucket.elements.tp_summed);
    num_tp += bucket.count * tp;
    num_kv += bucket.count * std::min(shard - tp, bucket.elements.kv_summed);
    if (bucket.is_tied_table) num_tied += bucket.count * shard;
  }
  const int64_t gradient = gradient_wire_bytes(job);
  add(pass, CollectiveKind::all_reduce, tensor_axis(domain), num_tp * gradient);
  add(pass, CollectiveKind::all_reduce, Axis::kv_replica, num_kv * gradient);
  add(pass, CollectiveKind::all_reduce, Axis::embedding, num_tied * gradient);
}

// Collectives of one kind and axis, and the ops of the update, as other frameworks call them: the
// former in buckets of some size, the latter at once.
Pass in_buckets(const Pass& pass, const Job& job, const Candidate& candidate) {
  const double ranks = static_cast<double>(candidate.mesh.dp * candidate.mesh.cp);
  const double bucket_elements = std::max(kBucketElements, kBucketElementsPerRank * ranks);
  Pass merged;
  OpWork update;
  for (const OpWork& op : pass.ops) update.bytes += op.bytes * op.count;
  merged.ops.push_back(update);
  for (const CollectiveWork& work : pass.collectives) {
    const auto same = [&work](const CollectiveWork& w) {
      return w.kind == work.kind && w.axis == work.axis;
    };
    const auto found = std::find_if(merged.collectives.begin(), merged.collectives.end(), same);
    if (found != merged.collectives.end()) {
      found->bytes += work.bytes * work.count;
    } else {
      merged.collectives.push_back({work.kind, work.axis, work.bytes * work.count, 1});
    }
  }
  for (CollectiveWork& work : merged.collectives) {
    const int64_t element = work.kind == CollectiveKind::all_gather
                                ? size_in_bytes(compute_dtype(job.precision))
                                : gradient_wire_bytes(job);
    const int64_t elements = work.bytes / element;
    work.count =
        std::max<int64_t>(1, std::llround(static_cast<double>(elements) / bucket_elements));
    work.bytes /= work.count;
  }
  return merged;
}

}  // namespace

int64_t gradient_wire_bytes(const Job& job) {
  const int64_t bytes = job.stack.facts.gradient_bytes;
  return bytes > 0 ? bytes : size_in_bytes(gradient_dtype(job.precision));
}

Pass step_pass(const Job& job, const Candidate& candidate,
               const std::vector<StageBucket>& buckets) {
  const int zero_stage = candidate.zero_stage;
  const bool is_own = job.stack.facts.is_own;
  const bool reduces_in_passes = zero_stage >= 2 && !is_own;
  const bool gathers_in_passes = zero_stage >= 3 && !is_own;
  const int64_t m = is_own ? num_microbatches(job, candidate) : 1;
  std::array<int64_t, kNumDomains> replicas{};  // elements that the holders of a shard sum
  Pass pass, update;
  for (const StageBucket& bucket : buckets) {
    const Axis axis = shard_axis(candidate.mesh, bucket.domain);
    if (is_trainable(bucket.domain)) {
      replicas[static_cast<size_t>(bucket.domain)] +=
          bucket.count * bucket.shard_elements(candidate);
      const int64_t uses = is_own && zero_stage >= 2 ? m * bucket.gradient_uses : 1;
      add(pass, zero_stage >= 1 ? CollectiveKind::reduce_scatter : CollectiveKind::all_reduce, axis,
          reduces_in_passes ? 0 : bucket.elements.size * gradient_wire_bytes(job),
          bucket.count * uses);
      if (candidate.offload == Offload::none) {
        update.ops.push_back({OpKind::memory, 0,
                              bucket.shard_elements(candidate) * update_bytes_per_element(job),
                              bucket.count});
      }
    }
    if (gathers_in_passes) continue;
    if (zero_stage >= 3 || (zero_stage >= 1 && is_trainable(bucket.domain))) {
      add(update, CollectiveKind::all_gather, axis,
          gathered_bytes(job.precision, job.lora, !is_trainable(bucket.domain),
                         bucket.elements.size, bucket.elements.products),
          bucket.count * (zero_stage >= 3 ? m * bucket.value_uses : 1));
    }
  }
  for (const Domain domain : {Domain::dense, Domain::expert}) {
    if (degree(candidate.mesh, replica_axis(domain)) > 1)
      add(pass, CollectiveKind::all_reduce, replica_axis(domain),
          replicas[static_cast<size_t>(domain)] * gradient_wire_bytes(job));
    add_partial_sums(job, candidate, buckets, domain, pass);
  }
  pass.ops.insert(pass.ops.end(), update.ops.begin(), update.ops.end());
  pass.collectives.insert(pass.collectives.end(), update.collectives.begin(),
                          update.collectives.end());
  return is_own ? pass : in_buckets(pass, job, candidate);
}

}  // namespace argosy
