// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/search_space.h"

#include <algorithm>

#include "planner/spec/check.h"

namespace argosy {

namespace {

template <typename Value>
std::vector<Value> fixed_or(const std::optional<Value>& fixed, std::vector<Value> all) {
  return fixed ? std::vector<Value>{*fixed} : all;
}

bool has_dense_layer(const ModelSpec& model) {
  const auto& is_moe = model.layer_is_moe;
  return std::find(is_moe.begin(), is_moe.end(), false) != is_moe.end();
}

std::string cp_reason(const Job& job, const MeshPoint& point) {
  const int64_t cp = point.mesh.cp, window = job.model.sliding_window;
  if (cp == 1) return "";
  if (point.cp_kind == ContextParallel::ring) {
    if (job.seq_len % (2 * cp) != 0) return "2*cp does not divide the sequence";
    const bool is_windowed = window > 0 && window < job.seq_len;
    return is_windowed ? "a ring over cp knows no attention window" : "";
  }
  if (job.seq_len % cp != 0) return "cp does not divide the sequence";
  const int64_t kv_heads = std::max<int64_t>(1, job.model.num_kv_heads / point.mesh.tp);
  return kv_heads % cp != 0 ? "cp does not divide the key/value heads of a rank" : "";
}

std::string mesh_reason(const Job& job, const MeshPoint& point, int64_t virtual_stages) {
  const Mesh& mesh = point.mesh;
  if (const std::string reason = tp_reason(job.model, mesh.tp); !reason.empty()) return reason;
  if (mesh.pp * virtual_stages > job.model.num_layers) return "more pipeline stages than layers";
  if (mesh.stage_size() % (mesh.ep * mesh.etp) != 0) {
    return "etp*ep does not divide the ranks of a pipeline stage";
  }
  if (job.model.moe.ffn_size % mesh.etp != 0) return "etp does not divide the expert's FFN";
  if (job.model.has_moe() && mesh.tp > 1 && !point.sequence_parallel) {
    return "experts with tp > 1 need sequence parallelism";
  }
  if (const std::string reason = cp_reason(job, point); !reason.empty()) return reason;
  if (job.global_batch % mesh.dp != 0) return "dp does not divide the global batch";
  if (mesh.zero_shard > 0) {
    if (mesh.dp * mesh.cp % mesh.zero_shard != 0) return "zero_shard does not divide dp*cp";
    const int64_t block = mesh.tp * mesh.zero_shard, holders = mesh.etp * mesh.ep;
    if (block % holders != 0 && holders % block != 0)
      return "tp*zero_shard and etp*ep do not divide";
  }
  if (!order_divides(mesh)) return "order tp-cp-pp-dp: experts or shards do not divide tp*cp";
  return "";
}

std::vector<int64_t> micro_batches(const Job& job, const Fixed& fixed, int64_t dp) {
  if (job.global_batch % dp != 0) return {1};
  const int64_t per_rank = job.global_batch / dp;
  if (!fixed.micro_batch) return divisors(per_rank);
  return {*fixed.micro_batch};
}

// With tp = 1 there is nothing to split: a fixed sequence_parallel=1 means the meshes beside it.
bool sequence_parallel(const Fixed& fixed, int64_t tp) {
  return tp > 1 && fixed.sequence_parallel.value_or(true);
}

// Cutting experts pays where their weights do not fit otherwise, and never beyond the fast links
// that tp was chosen for: the divisors of tp.
std::vector<int64_t> expert_tensor_degrees(const ModelSpec& model, const Fixed& fixed, int64_t tp) {
  if (fixed.etp) return {*fixed.etp};
  if (!model.has_moe()) return {1};
  return divisors(tp);
}

std::vector<int64_t> context_degrees(const Job& job, const Fixed& fixed) {
  if (fixed.cp) return {*fixed.cp};
  std::vector<int64_t> degrees = divisors(job.num_devices());
  std::erase_if(degrees,
                [&job](int64_t cp) { return cp > 1 && job.seq_len < cp * kFewestTokensOfPart; });
  return degrees;
}

std::vector<ContextParallel> context_kinds(const Fixed& fixed, int64_t cp) {
  if (cp == 1) return {fixed.cp_kind.value_or(ContextParallel::ring)};  // says nothing
  return fixed_or(fixed.cp_kind, {ContextParallel::ring, ContextParallel::ulysses});
}

// Schedules that are tried when none is fixed.
std::vector<ScheduleKind> schedules_of(int64_t virtual_stages) {
  if (virtual_stages == 1) return {ScheduleKind::one_f_one_b, ScheduleKind::gpipe};
  if (virtual_stages == 2) return {ScheduleKind::interleaved, ScheduleKind::zb_v};
  return {ScheduleKind::interleaved};
}

// Both, where an island ends between a block of tp*cp devices and the whole cluster. Nodes alone do
// not decide it: pipelines inside of a node were never faster (README.md).
std::vector<RankOrder> rank_orders(const ClusterSpec& cluster, const Fixed& fixed, Mesh mesh) {
  if (fixed.order) return {*fixed.order};
  std::vector<RankOrder> orders = {RankOrder::tp_cp_dp_pp};
  const int64_t block = mesh.tp * mesh.cp;
  const auto is_island = [&](const LinkTier& tier) {
    return block < tier.devices && tier.devices < cluster.num_devices;
  };
  const bool may_differ = mesh.pp > 1 && mesh.dp > 1 &&
                          std::any_of(cluster.tiers.begin() + 1, cluster.tiers.end(), is_island);
  mesh.order = RankOrder::tp_cp_pp_dp;
  if (may_differ && order_divides(mesh)) orders.push_back(mesh.order);
  return orders;
}

// The ways to use ep and etp on a mesh whose other degrees are decided.
void add_expert_meshes(const Job& job, const Fixed& fixed, MeshPoint point, SearchSpace& space) {
  point.sequence_parallel = sequence_parallel(fixed, point.mesh.tp);
  point.micro_batches = micro_batches(job, fixed, point.mesh.dp);
  for (int64_t ep : divisors(std::max<int64_t>(1, job.model.moe.num_experts))) {
    if (fixed.ep && *fixed.ep != ep) continue;
    for (int64_t etp : expert_tensor_degrees(job.model, fixed, point.mesh.tp)) {
      point.mesh.ep = ep;
      point.mesh.etp = etp;
      point.mesh.zero_shard = fixed.zero_shard.value_or(0);
      for (RankOrder order : rank_orders(job.cluster, fixed, point.mesh)) {
        point.mesh.order = order;
        point.reason = mesh_reason(job, point, space.virtual_stages);
        space.meshes.push_back(point);
      }
    }
  }
}

void add_meshes(const Job& job, const Fixed& fixed, int64_t cp, ContextParallel cp_kind,
                SearchSpace& space) {
  const int64_t devices = job.num_devices() / cp;
  MeshPoint point;
  point.mesh.cp = cp;
  point.cp_kind = cp_kind;
  for (int64_t tp : divisors(devices)) {
    if (fixed.tp && *fixed.tp != tp) continue;
    for (int64_t pp : divisors(devices / tp)) {
      const int64_t dp = devices / tp / pp;
      if ((fixed.pp && *fixed.pp != pp) || (fixed.dp && *fixed.dp != dp)) continue;
      point.mesh.tp = tp;
      point.mesh.pp = pp;
      point.mesh.dp = dp;
      add_expert_meshes(job, fixed, point, space);
    }
  }
}

}  // namespace

// The rules of validate(), as cheap values: thousands of meshes break them.
std::string tp_reason(const ModelSpec& model, int64_t tp) {
  const int64_t kv = model.num_kv_heads;
  if (model.num_heads % tp != 0) return "tp does not divide the attention heads";
  if (kv % tp != 0 && tp % kv != 0) return "tp and the key/value heads do not divide";
  if (tp > model.vocab_size) return "tp exceeds the vocabulary";
  if (has_dense_layer(model) && model.ffn_size % tp != 0) return "tp does not divide the FFN";
  if (model.moe.shared_ffn_size % tp != 0) return "tp does not divide the shared expert";
  return "";
}

int64_t SearchSpace::num_points() const {
  int64_t micro_batches = 0;
  for (const MeshPoint& point : meshes) {
    micro_batches += static_cast<int64_t>(point.micro_batches.size());
  }
  return micro_batches * points_per_micro_batch();
}

std::string micro_batch_reason(const Job& job, const MeshPoint& point, int64_t micro_batch) {
  if (job.global_batch % (point.mesh.dp * micro_batch) != 0) {
    return "dp*micro_batch does not divide the global batch";
  }
  if (point.sequence_parallel && micro_batch * (job.seq_len / point.mesh.cp) % point.mesh.tp != 0) {
    return "tp does not divide the tokens of a micro-batch";
  }
  return "";
}

SearchSpace search_space(const Job& job, const Fixed& fixed) {
  SearchSpace space;
  space.zero_stages = fixed_or(fixed.zero_stage, {0, 1, 2, 3});
  if (fixed.zero_shard) std::erase(space.zero_stages, 0);
  space.virtual_stages = fixed_virtual_stages(fixed);
  space.moe_capacity_factor = fixed.moe_capacity_factor.value_or(0);
  space.offload = fixed.offload.value_or(Offload::none);
  space.schedules = fixed_or(fixed.schedule, schedules_of(space.virtual_stages));
  space.recomputes =
      fixed_or(fixed.recompute, {Recompute::none, Recompute::selective, Recompute::full});
  for (int64_t cp : context_degrees(job, fixed)) {
    for (ContextParallel kind : context_kinds(fixed, cp)) add_meshes(job, fixed, cp, kind, space);
  }
  return space;
}

}  // namespace argosy
