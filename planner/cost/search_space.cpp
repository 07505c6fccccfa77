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

constexpr const char* kOrder = "order tp-cp-pp-dp: experts or shards do not divide tp*cp";

std::string shard_reason(const Mesh& mesh, int64_t zero_shard) {
  if (zero_shard == 0) return "";
  if (mesh.dp * mesh.cp % zero_shard != 0) return "zero_shard does not divide dp*cp";
  const int64_t block = mesh.tp * zero_shard, holders = mesh.etp * mesh.ep;
  const bool divide = block % holders == 0 || holders % block == 0;
  if (!divide) return "tp*zero_shard and etp*ep do not divide";
  Mesh sharded = mesh;
  sharded.zero_shard = zero_shard;
  return order_divides(sharded) ? "" : kOrder;
}

std::string mesh_reason(const Job& job, const MeshPoint& point, int64_t fewest_stages) {
  const Mesh& mesh = point.mesh;
  if (std::string reason = tp_reason(job.model, mesh.tp); !reason.empty()) return reason;
  if (fewest_stages > job.model.num_layers) return "more pipeline stages than layers";
  if (mesh.stage_size() % (mesh.ep * mesh.etp) != 0) {
    return "etp*ep does not divide the ranks of a pipeline stage";
  }
  if (job.model.moe.ffn_size % mesh.etp != 0) return "etp does not divide the expert's FFN";
  if (job.model.has_moe() && mesh.tp > 1 && !point.sequence_parallel) {
    return "experts with tp > 1 need sequence parallelism";
  }
  if (std::string reason = cp_reason(job, point); !reason.empty()) return reason;
  if (job.global_batch % mesh.dp != 0) return "dp does not divide the global batch";
  for (const ZeroChoice& zero : point.zeros) {
    if (std::string reason = shard_reason(mesh, zero.shard); !reason.empty()) return reason;
  }
  if (!order_divides(mesh)) return kOrder;
  return "";
}

std::vector<int64_t> micro_batches(const Job& job, const Fixed& fixed, int64_t dp) {
  if (job.global_batch % dp != 0) return {1};
  const int64_t per_rank = job.global_batch / dp;
  if (!fixed.micro_batch) return divisors(per_rank);
  return {*fixed.micro_batch};
}

// With tp = 1 there is nothing to split: a fixed sequence_parallel=1 means the meshes beside it.
// Experts need it.
std::vector<bool> sequence_parallel(const ModelSpec& model, const Fixed& fixed, int64_t tp) {
  if (tp == 1) return {false};
  if (fixed.sequence_parallel) return {*fixed.sequence_parallel};
  return model.has_moe() ? std::vector<bool>{true} : std::vector<bool>{true, false};
}

// Shards over all ranks, or over those within a node or an island: the fast links.
std::vector<int64_t> shard_sizes(const Job& job, const Fixed& fixed, const Mesh& mesh) {
  if (fixed.zero_shard) return {*fixed.zero_shard};
  std::vector<int64_t> sizes = {0};
  for (const LinkTier& tier : job.cluster.tiers) {
    const int64_t shard = tier.devices / mesh.tp;
    if (tier.devices % mesh.tp != 0 || shard <= 1 || shard >= mesh.dp * mesh.cp) continue;
    if (shard_reason(mesh, shard).empty()) sizes.push_back(shard);
  }
  return sizes;
}

std::vector<ZeroChoice> zero_choices(const Job& job, const Fixed& fixed, const Mesh& mesh) {
  std::vector<ZeroChoice> zeros;
  for (int stage : fixed_or(fixed.zero_stage, {0, 1, 2, 3})) {
    if (stage == 0) {
      if (fixed.zero_shard.value_or(0) == 0) zeros.push_back({0, 0});
      continue;
    }
    for (int64_t shard : shard_sizes(job, fixed, mesh)) zeros.push_back({stage, shard});
  }
  return zeros;
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

int64_t fewest_virtual_stages(ScheduleKind kind) {
  return kind == ScheduleKind::interleaved || kind == ScheduleKind::zb_v ? 2 : 1;
}

// How many stages a rank may have, for as many layers as there are.
std::vector<int64_t> virtual_stages(const Job& job, const Fixed& fixed, ScheduleKind kind,
                                    int64_t pp) {
  if (fixed.virtual_stages) return {*fixed.virtual_stages};
  const int64_t fewest = fewest_virtual_stages(kind);
  const int64_t most = kind == ScheduleKind::interleaved ? job.model.num_layers / pp : fewest;
  std::vector<int64_t> counts = {fewest};
  for (int64_t count = fewest + 1; count <= most; ++count) counts.push_back(count);
  return counts;
}

bool is_open_to(const Fixed& fixed, const ScheduleChoice& choice) {
  switch (choice.kind) {
    case ScheduleKind::interleaved:
      return choice.virtual_stages > 1;  // with one it is 1f1b
    case ScheduleKind::zb_v:
      return choice.virtual_stages == 2;
    default:
      return choice.virtual_stages == 1 && fixed.virtual_stages.value_or(1) == 1;
  }
}

std::vector<ScheduleChoice> schedule_choices(const Job& job, const Fixed& fixed, int64_t pp) {
  std::vector<ScheduleKind> kinds = {ScheduleKind::one_f_one_b, ScheduleKind::gpipe};
  if (pp > 1) {
    for (ScheduleKind kind : {ScheduleKind::interleaved, ScheduleKind::zb_h1, ScheduleKind::zb_v})
      kinds.push_back(kind);
  }
  std::vector<ScheduleChoice> choices;
  for (ScheduleKind kind : fixed_or(fixed.schedule, kinds)) {
    for (int64_t count : virtual_stages(job, fixed, kind, pp)) {
      const ScheduleChoice choice{kind, count};
      const bool has_layers = pp * count <= job.model.num_layers;
      if (fixed.schedule || (has_layers && is_open_to(fixed, choice))) choices.push_back(choice);
    }
  }
  // More stages than layers: a choice that mesh_reason() rejects.
  if (choices.empty()) {
    choices.push_back({ScheduleKind::one_f_one_b, fixed.virtual_stages.value_or(1)});
  }
  return choices;
}

int64_t fewest_stages(const std::vector<ScheduleChoice>& choices, int64_t pp) {
  int64_t fewest = choices.front().virtual_stages;
  for (const ScheduleChoice& choice : choices) fewest = std::min(fewest, choice.virtual_stages);
  return fewest * pp;
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

std::vector<Offload> offloads(const Fixed& fixed) {
  if (fixed.tries_offload) return {Offload::none, Offload::optimizer};
  return {fixed.offload.value_or(Offload::none)};
}

// The ways to use ep and etp on a mesh whose other degrees are decided.
void add_expert_meshes(const Job& job, const Fixed& fixed, MeshPoint point, SearchSpace& space) {
  point.micro_batches = micro_batches(job, fixed, point.mesh.dp);
  const int64_t num_stages = fewest_stages(space.schedules_of(point), point.mesh.pp);
  for (int64_t ep : divisors(std::max<int64_t>(1, job.model.moe.num_experts))) {
    if (fixed.ep && *fixed.ep != ep) continue;
    for (int64_t etp : expert_tensor_degrees(job.model, fixed, point.mesh.tp)) {
      point.mesh.ep = ep;
      point.mesh.etp = etp;
      const std::vector<RankOrder> orders = rank_orders(job.cluster, fixed, point.mesh);
      for (bool is_split : sequence_parallel(job.model, fixed, point.mesh.tp)) {
        point.sequence_parallel = is_split;
        for (RankOrder order : orders) {
          point.mesh.order = order;
          point.zeros = zero_choices(job, fixed, point.mesh);
          point.reason = mesh_reason(job, point, num_stages);
          for (Offload offload : offloads(fixed)) {
            point.offload = offload;
            space.meshes.push_back(point);
          }
        }
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
      if (pp == 1 && needs_pipeline(fixed)) continue;
      point.mesh.tp = tp;
      point.mesh.pp = pp;
      point.mesh.dp = dp;
      if (!space.schedules.contains(pp)) space.schedules[pp] = schedule_choices(job, fixed, pp);
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
  int64_t points = 0;
  for (const MeshPoint& point : meshes) {
    points += static_cast<int64_t>(point.micro_batches.size()) * points_per_micro_batch(point);
  }
  return points;
}

std::string micro_batch_reason(const Job& job, const MeshPoint& point, int64_t micro_batch) {
  if (job.global_batch % (point.mesh.dp * micro_batch) != 0) {
    return kBatchReason;
  }
  if (point.sequence_parallel && micro_batch * (job.seq_len / point.mesh.cp) % point.mesh.tp != 0) {
    return kTokensReason;
  }
  return "";
}

SearchSpace search_space(const Job& job, const Fixed& fixed) {
  SearchSpace space;
  space.moe_capacity_factor = fixed.moe_capacity_factor.value_or(0);
  for (int64_t cp : context_degrees(job, fixed)) {
    for (ContextParallel kind : context_kinds(fixed, cp)) add_meshes(job, fixed, cp, kind, space);
  }
  return space;
}

}  // namespace argosy
