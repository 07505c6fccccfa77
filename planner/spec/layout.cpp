// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/layout.h"

#include <algorithm>
#include <tuple>

#include "planner/spec/check.h"

namespace argosy {

namespace {

// Where a rank stands in the group that cuts a tensor, and how many parts there are. With more
// tensor-parallel ranks than key/value heads `kv_copies` neighbours hold the same head.
struct Cut {
  int64_t index = 0, parts = 1;
  int64_t kv_copies = 1;
};

Cut cut_of(const Plan& plan, const Coordinates& at, const TensorSpec& tensor) {
  if (tensor.is_expert()) return {at.etp, plan.mesh.etp, 1};
  return {at.tp, plan.mesh.tp, std::max<int64_t>(1, plan.mesh.tp / plan.model.num_kv_heads)};
}

Box box_of(const TensorSpec& tensor, const Cut& cut) {
  const Range rows{0, tensor.rows}, cols{0, tensor.cols};
  switch (tensor.shard) {
    case Shard::replicated:
      return {rows, cols};
    case Shard::rows:
    case Shard::vocab:
      return {split_range(tensor.rows, cut.parts, cut.index), cols};
    case Shard::kv_rows:
      return {split_range(tensor.rows, cut.parts / cut.kv_copies, cut.index / cut.kv_copies), cols};
    case Shard::cols:
      return {rows, split_range(tensor.cols, cut.parts, cut.index)};
  }
  CHECK(false, "shard ", static_cast<int>(tensor.shard));
  return {};
}

// Replicated tensors whose backward runs on each rank's part of the sequence only.
bool sees_part_of_sequence(TensorRole role) {
  switch (role) {
    case TensorRole::attention_norm:
    case TensorRole::attention_norm_bias:
    case TensorRole::mlp_norm:
    case TensorRole::mlp_norm_bias:
    case TensorRole::final_norm:
    case TensorRole::final_norm_bias:
    case TensorRole::q_a:
    case TensorRole::q_a_norm:
    case TensorRole::kv_a:
    case TensorRole::kv_a_norm:
    case TensorRole::router:
    case TensorRole::router_bias:
    case TensorRole::shared_expert_gate:
    case TensorRole::mtp_embedding_norm:
    case TensorRole::mtp_hidden_norm:
    case TensorRole::mtp_projection:
    case TensorRole::mtp_final_norm:
    case TensorRole::o_bias:
    case TensorRole::down_bias:
    case TensorRole::position_embedding:
      return true;
    default:
      return false;
  }
}

GradientSum gradient_sum_of(const Plan& plan, const TensorSpec& tensor, const Cut& cut) {
  if (!tensor.trainable || cut.parts == 1) return GradientSum::none;
  if (tensor.shard == Shard::kv_rows) {
    return cut.kv_copies > 1 ? GradientSum::kv_replica : GradientSum::none;
  }
  if (tensor.shard != Shard::replicated) return GradientSum::none;
  // A replicated factor of an adapter meets the rank's part of the outputs (A) or inputs (B);
  // beside a weight that is replicated itself, what that meets.
  const bool is_beside_a_part = !sees_part_of_sequence(tensor.role);
  if (tensor.lora != LoraPart::none && is_beside_a_part) return GradientSum::tp;
  // Each rank normalises its own heads.
  if (tensor.role == TensorRole::q_norm || tensor.role == TensorRole::k_norm) {
    return GradientSum::tp;
  }
  const bool partial = plan.sequence_parallel && sees_part_of_sequence(tensor.role);
  return partial ? GradientSum::tp : GradientSum::none;
}

bool stands_for_its_elements(const TensorSpec& tensor, const Cut& cut) {
  if (tensor.shard == Shard::replicated) return cut.index == 0;
  if (tensor.shard == Shard::kv_rows) return cut.index % cut.kv_copies == 0;
  return true;
}

Domain domain_of(const TensorSpec& tensor) {
  if (tensor.is_expert()) return tensor.trainable ? Domain::expert : Domain::expert_frozen;
  return tensor.trainable ? Domain::dense : Domain::dense_frozen;
}

int64_t rank_of_head(const Plan& plan) {
  return pipeline_rank_of_stage(plan, plan.num_stages() - 1);
}

// Pipeline rank that a tensor lives on.
int64_t home_of(const Plan& plan, const TensorSpec& tensor) {
  if (tensor.layer < 0) return pipeline_rank_of_stage(plan, 0);
  if (tensor.layer >= plan.model.num_layers) return rank_of_head(plan);
  return pipeline_rank_of_stage(plan, stage_of_layer(plan, tensor.layer));
}

bool is_expert_elsewhere(const Plan& plan, const Coordinates& at, const TensorSpec& tensor) {
  if (!tensor.is_expert()) return false;
  const Range here = split_range(plan.model.moe.num_experts, plan.mesh.ep, at.ep);
  return tensor.expert < here.begin || tensor.expert >= here.end;
}

// This rank's tensors in model order, offsets not yet set.
std::vector<LocalTensor> local_tensors(const Plan& plan, const std::vector<TensorSpec>& tensors,
                                       const Coordinates& at) {
  std::vector<LocalTensor> result;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorSpec& tensor = tensors[i];
    const bool is_home = home_of(plan, tensor) == at.pp;
    const bool is_tied_copy = !is_home && plan.model.needs_embedding_at_end() &&
                              at.pp == rank_of_head(plan) && tensor.role == TensorRole::embedding;
    if ((!is_home && !is_tied_copy) || is_expert_elsewhere(plan, at, tensor)) continue;
    const Cut cut = cut_of(plan, at, tensor);
    LocalTensor local;
    local.tensor = static_cast<int>(i);
    local.box = box_of(tensor, cut);
    local.domain = domain_of(tensor);
    local.gradient_sum = gradient_sum_of(plan, tensor, cut);
    local.counts = !is_tied_copy && stands_for_its_elements(tensor, cut);
    result.push_back(local);
  }
  return result;
}

// Order inside a bucket: summed over tp, then over kv_replica, then the others.
int order_of(GradientSum sum) {
  return sum == GradientSum::tp ? 0 : sum == GradientSum::kv_replica ? 1 : 2;
}

bool is_table(const TensorSpec& tensor) {
  return tensor.shard == Shard::vocab;
}

void sort_into_buckets(const std::vector<TensorSpec>& tensors, std::vector<LocalTensor>& locals) {
  const auto key = [&](const LocalTensor& local) {
    const TensorSpec& tensor = tensors[static_cast<size_t>(local.tensor)];
    return std::tuple(local.domain, tensor.layer, is_table(tensor), order_of(local.gradient_sum));
  };
  std::stable_sort(locals.begin(), locals.end(),
                   [&](const LocalTensor& a, const LocalTensor& b) { return key(a) < key(b); });
}

// Puts `local` behind what is in its domain already.
void append(const TensorSpec& tensor, LocalTensor& local, DomainLayout& domain) {
  std::vector<Bucket>& buckets = domain.buckets;
  if (buckets.empty() || buckets.back().layer != tensor.layer ||
      buckets.back().is_table != is_table(tensor)) {
    Bucket bucket;
    bucket.layer = tensor.layer;
    bucket.is_table = is_table(tensor);
    bucket.range = {domain.num_elements, domain.num_elements};
    buckets.push_back(bucket);
  }
  const int64_t size = local.box.size();
  domain.buckets.back().products.add(tensor, local.box);
  Bucket& bucket = buckets.back();
  local.bucket = static_cast<int>(buckets.size()) - 1;
  local.offset = domain.num_elements;
  domain.num_elements = bucket.range.end += size;
  if (local.gradient_sum == GradientSum::tp) bucket.num_tp_summed += size;
  if (local.gradient_sum == GradientSum::kv_replica) bucket.num_kv_summed += size;
}

// Part `index` of `range` cut into `parts`.
Range part_of(Range range, int64_t parts, int64_t index) {
  const Range part = split_range(range.size(), parts, index);
  return {range.begin + part.begin, range.begin + part.end};
}

// Cuts the buckets of a domain whose data-parallel group has `size` ranks, this one at `index`;
// `shard_size` neighbours of them share the shards.
void cut_buckets(const Plan& plan, int64_t size, int64_t shard_size, int64_t index, bool is_frozen,
                 DomainLayout& domain) {
  const int64_t num_shards = plan.zero_stage == 0 ? 1 : shard_size;
  const ShardOf shard = {num_shards, index % num_shards};
  domain.shard = shard;
  for (Bucket& bucket : domain.buckets) {
    bucket.shard = part_of(bucket.range, shard.parts, shard.index);
    bucket.owned = part_of(bucket.shard, size / num_shards, index / num_shards);
    bucket.shard_offset = domain.num_shard_elements;
    if (is_packed(plan.lora, is_frozen, bucket.products)) {
      bucket.packed_bytes = gathered_bytes(plan.precision, plan.lora, is_frozen,
                                           bucket.range.size(), bucket.products);
      bucket.packed_shard = split_range(bucket.packed_bytes, shard.parts, shard.index);
    } else {
      domain.num_shard_elements += bucket.shard.size();
    }
  }
}

}  // namespace

Range tp_summed(const Bucket& bucket) {
  return intersect(bucket.shard, {bucket.range.begin, bucket.range.begin + bucket.num_tp_summed});
}

Range kv_summed(const Bucket& bucket) {
  const int64_t begin = bucket.range.begin + bucket.num_tp_summed;
  return intersect(bucket.shard, {begin, begin + bucket.num_kv_summed});
}

bool is_tied_table(const Plan& plan, const Bucket& bucket) {
  return has_tied_copy(plan) && bucket.is_table && bucket.layer < 0;
}

RankLayout rank_layout(const Plan& plan, const std::vector<TensorSpec>& tensors, int64_t rank) {
  const Coordinates at = coordinates(plan.mesh, rank);
  RankLayout layout;
  layout.tensors = local_tensors(plan, tensors, at);
  sort_into_buckets(tensors, layout.tensors);
  for (LocalTensor& local : layout.tensors) {
    append(tensors[static_cast<size_t>(local.tensor)], local,
           layout.domains[static_cast<size_t>(local.domain)]);
  }
  for (int i = 0; i < kNumDomains; ++i) {
    const auto domain = static_cast<Domain>(i);
    const Axis axis = reduction_axis(domain);
    const int64_t index = axis == Axis::edp ? at.edp : at.dp * plan.mesh.cp + at.cp;
    cut_buckets(plan, degree(plan.mesh, axis), degree(plan.mesh, shard_axis(plan.mesh, domain)),
                index, !is_trainable(domain), layout.domains[static_cast<size_t>(i)]);
  }
  return layout;
}

}  // namespace argosy
