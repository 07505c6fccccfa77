// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Over which ranks a domain is reduced, cut and sharded, and how often its buckets are used.
#include "planner/spec/layout.h"

namespace argosy {

Axis reduction_axis(Domain domain) {
  return domain == Domain::expert || domain == Domain::expert_frozen ? Axis::edp : Axis::dp_cp;
}

Axis shard_axis(const Mesh& mesh, Domain domain) {
  const Axis all = reduction_axis(domain);
  if (mesh.zero_shard == 0) return all;
  return all == Axis::edp ? Axis::expert_zero_shard : Axis::zero_shard;
}

Axis replica_axis(Domain domain) {
  return reduction_axis(domain) == Axis::edp ? Axis::expert_zero_replica : Axis::zero_replica;
}

Axis tensor_axis(Domain domain) {
  return domain == Domain::expert || domain == Domain::expert_frozen ? Axis::etp : Axis::tp;
}

bool is_trainable(Domain domain) {
  return domain == Domain::dense || domain == Domain::expert;
}

bool shards_gradients(const Plan& plan, Domain domain) {
  return plan.zero_stage >= 2 && is_trainable(domain) &&
         degree(plan.mesh, shard_axis(plan.mesh, domain)) > 1;
}

bool shards_parameters(const Plan& plan, Domain domain) {
  return plan.zero_stage >= 3 && degree(plan.mesh, shard_axis(plan.mesh, domain)) > 1;
}

namespace {

// How often a micro-batch uses a bucket's table on this pipeline rank.
int64_t table_uses(const Plan& plan, int64_t pipeline_rank, const Bucket& bucket) {
  const bool is_first = pipeline_rank_of_stage(plan, 0) == pipeline_rank;
  const bool is_last = pipeline_rank_of_stage(plan, plan.num_stages() - 1) == pipeline_rank;
  // Heads, each behind the layers or a module for multi-token prediction, and embeddings.
  const int64_t num_modules = plan.model.num_mtp_modules, num_heads = 1 + num_modules;
  if (bucket.layer >= 0) return num_heads;
  const int64_t at_end = num_modules + (plan.model.tied_head ? num_heads : 0);
  return (is_first ? 1 : 0) + (is_last ? at_end : 0);
}

}  // namespace

int64_t gradient_uses(const Plan& plan, int64_t pipeline_rank, const Bucket& bucket) {
  return bucket.is_table ? table_uses(plan, pipeline_rank, bucket) : 1;
}

int64_t value_uses(const Plan& plan, int64_t pipeline_rank, const Bucket& bucket) {
  if (bucket.is_table) return table_uses(plan, pipeline_rank, bucket);
  return bucket.layer < 0 ? 1 : 2;
}

}  // namespace argosy
