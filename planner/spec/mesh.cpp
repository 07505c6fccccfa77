// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/mesh.h"

#include <algorithm>

#include "planner/spec/check.h"

namespace argosy {

std::string_view to_string(Axis axis) {
  switch (axis) {
    case Axis::tp:
      return "tp";
    case Axis::cp:
      return "cp";
    case Axis::dp:
      return "dp";
    case Axis::pp:
      return "pp";
    case Axis::etp:
      return "etp";
    case Axis::ep:
      return "ep";
    case Axis::edp:
      return "edp";
    case Axis::dp_cp:
      return "dp_cp";
    case Axis::embedding:
      return "embedding";
    case Axis::kv_replica:
      return "kv_replica";
    case Axis::zero_shard:
      return "zero_shard";
    case Axis::zero_replica:
      return "zero_replica";
    case Axis::expert_zero_shard:
      return "expert_zero_shard";
    case Axis::expert_zero_replica:
      return "expert_zero_replica";
    case Axis::world:
      return "world";
  }
  return "?";
}

std::string_view to_string(RankOrder order) {
  return order == RankOrder::tp_cp_dp_pp ? "tp-cp-dp-pp" : "tp-cp-pp-dp";
}

RankOrder rank_order_from_string(std::string_view text, std::string_view where) {
  for (RankOrder order : {RankOrder::tp_cp_dp_pp, RankOrder::tp_cp_pp_dp}) {
    if (text == to_string(order)) return order;
  }
  throw ConfigError(concat(where, ": '", text, "'; valid: tp-cp-dp-pp, tp-cp-pp-dp"));
}

Range intersect(Range a, Range b) {
  const int64_t begin = std::max(a.begin, b.begin);
  return {begin, std::max(begin, std::min(a.end, b.end))};
}

Range split_range(int64_t size, int64_t parts, int64_t index) {
  CHECK(parts >= 1 && index >= 0 && index < parts, index, " of ", parts);
  const int64_t base = size / parts, longer = size % parts;
  const int64_t begin = index * base + std::min(index, longer);
  return {begin, begin + base + (index < longer ? 1 : 0)};
}

std::vector<int64_t> split_sizes(int64_t size, int64_t parts) {
  std::vector<int64_t> sizes;
  for (int64_t i = 0; i < parts; ++i) sizes.push_back(split_range(size, parts, i).size());
  return sizes;
}

namespace {

void validate_zero_shard(const Mesh& mesh) {
  if (mesh.zero_shard == 0) return;
  const int64_t data = mesh.dp * mesh.cp;
  if (mesh.zero_shard < 0 || data % mesh.zero_shard != 0) {
    throw ConfigError(concat("mesh: zero_shard=", mesh.zero_shard, " must divide dp*cp = ", mesh.dp,
                             "*", mesh.cp, " = ", data, "; 0 shards over all of it"));
  }
  const int64_t block = mesh.tp * mesh.zero_shard, experts = mesh.etp * mesh.ep;
  if (block % experts != 0 && experts % block != 0) {
    throw ConfigError(concat("mesh: of the neighbours that shard, tp*zero_shard = ", mesh.tp, "*",
                             mesh.zero_shard, " = ", block, ", and of the ranks that hold the ",
                             "experts, etp*ep = ", mesh.etp, "*", mesh.ep, " = ", experts,
                             ", one must divide the other"));
  }
}

void validate_order(const Mesh& mesh) {
  if (order_divides(mesh)) return;
  throw ConfigError(concat("mesh: order ", to_string(mesh.order), " needs of tp*cp = ", mesh.tp,
                           "*", mesh.cp, " and each of etp = ", mesh.etp, ", etp*ep = ", mesh.etp,
                           "*", mesh.ep, ", tp*zero_shard = ", mesh.tp, "*", mesh.zero_shard,
                           " that one divides the other; valid: tp-cp-dp-pp"));
}

}  // namespace

void validate(const Mesh& mesh) {
  // Ten times the largest job that is known of; what is below multiplies without overflow.
  constexpr int64_t kMostRanks = 10000000;
  const struct {
    const char* name;
    int64_t value;
  } degrees[] = {{"tp", mesh.tp}, {"pp", mesh.pp}, {"dp", mesh.dp},
                 {"cp", mesh.cp}, {"ep", mesh.ep}, {"etp", mesh.etp}};
  for (const auto& degree : degrees) {
    if (degree.value < 1) {
      throw ConfigError(
          concat("mesh: ", degree.name, "=", degree.value, ", but a degree is at least 1"));
    }
    if (degree.value > kMostRanks) {
      throw ConfigError(concat("mesh: ", degree.name, "=", degree.value, ", but a degree is at ",
                               "most ", kMostRanks));
    }
  }
  // In floating point: the product of four degrees may exceed int64.
  const double world = static_cast<double>(mesh.tp * mesh.cp) * static_cast<double>(mesh.dp) *
                       static_cast<double>(mesh.pp);
  if (world > static_cast<double>(kMostRanks)) {
    throw ConfigError(concat("mesh: tp*pp*dp*cp = ", mesh.tp, "*", mesh.pp, "*", mesh.dp, "*",
                             mesh.cp, ", but a job has at most ", kMostRanks, " ranks"));
  }
  if (mesh.stage_size() % (mesh.ep * mesh.etp) != 0) {
    throw ConfigError(concat("mesh: etp*ep = ", mesh.etp, "*", mesh.ep, " = ", mesh.etp * mesh.ep,
                             " must divide the ranks of a pipeline stage, tp*cp*dp = ", mesh.tp,
                             "*", mesh.cp, "*", mesh.dp, " = ", mesh.stage_size()));
  }
  validate_zero_shard(mesh);
  validate_order(mesh);
}

Coordinates coordinates(const Mesh& mesh, int64_t rank) {
  CHECK(rank >= 0 && rank < mesh.world_size(), "rank ", rank, " of ", mesh.world_size());
  Coordinates c;
  c.pp = rank / mesh.stage_size();
  const int64_t in_stage = rank % mesh.stage_size();
  c.tp = in_stage % mesh.tp;
  c.cp = in_stage / mesh.tp % mesh.cp;
  c.dp = in_stage / (mesh.tp * mesh.cp);
  c.etp = in_stage % mesh.etp;
  c.ep = in_stage / mesh.etp % mesh.ep;
  c.edp = in_stage / (mesh.etp * mesh.ep);
  return c;
}

int64_t rank_of(const Mesh& mesh, const Coordinates& c) {
  return c.pp * mesh.stage_size() + (c.dp * mesh.cp + c.cp) * mesh.tp + c.tp;
}

// With whole pipelines together, a stage is blocks of tp*cp devices with gaps between them.
bool order_divides(const Mesh& mesh) {
  if (mesh.order == RankOrder::tp_cp_dp_pp) return true;
  const int64_t block = mesh.tp * mesh.cp;
  const auto divides = [block](int64_t ranks) { return ranks % block == 0 || block % ranks == 0; };
  return divides(mesh.etp) && divides(mesh.etp * mesh.ep) &&
         divides(mesh.tp * std::max<int64_t>(mesh.zero_shard, 1));
}

int64_t device_of_rank(const Mesh& mesh, int64_t rank) {
  if (mesh.order == RankOrder::tp_cp_dp_pp) return rank;
  const Coordinates c = coordinates(mesh, rank);
  return ((c.dp * mesh.pp + c.pp) * mesh.cp + c.cp) * mesh.tp + c.tp;
}

int64_t degree(const Mesh& mesh, Axis axis) {
  switch (axis) {
    case Axis::tp:
      return mesh.tp;
    case Axis::cp:
      return mesh.cp;
    case Axis::dp:
      return mesh.dp;
    case Axis::pp:
      return mesh.pp;
    case Axis::etp:
      return mesh.etp;
    case Axis::ep:
      return mesh.ep;
    case Axis::edp:
      return mesh.edp();
    case Axis::dp_cp:
      return mesh.dp * mesh.cp;
    case Axis::embedding:
      return mesh.pp > 1 ? 2 : 1;
    case Axis::zero_shard:
      return std::max<int64_t>(mesh.zero_shard, 1);
    case Axis::zero_replica:
      return mesh.zero_shard == 0 ? 1 : mesh.dp * mesh.cp / mesh.zero_shard;
    case Axis::expert_zero_shard:
      return std::max<int64_t>(mesh.tp * mesh.zero_shard / (mesh.etp * mesh.ep), 1);
    case Axis::expert_zero_replica:
      return mesh.zero_shard == 0 ? 1 : mesh.edp() / degree(mesh, Axis::expert_zero_shard);
    case Axis::world:
      return mesh.world_size();
    case Axis::kv_replica:
      break;
  }
  CHECK(false, "the size of a ", to_string(axis), " group depends on the model");
  return 0;
}

namespace {

// Ranks base, base + stride, ... : `count` of them.
std::vector<int64_t> strided(int64_t base, int64_t stride, int64_t count) {
  std::vector<int64_t> ranks;
  ranks.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) ranks.push_back(base + i * stride);
  return ranks;
}

// Of a data-parallel group, whose members are `stride` apart and `rank` the one at `index`: the
// `num_shards` neighbours that share shards, or all that hold the same shard.
std::vector<int64_t> shard_group(int64_t rank, int64_t index, int64_t stride, int64_t num_shards) {
  return strided(rank - index % num_shards * stride, stride, num_shards);
}
std::vector<int64_t> replica_group(int64_t rank, int64_t index, int64_t stride, int64_t num_shards,
                                   int64_t num_replicas) {
  if (num_replicas == 1) return {rank};
  return strided(rank - index / num_shards * num_shards * stride, num_shards * stride,
                 num_replicas);
}

}  // namespace

std::vector<int64_t> group_members(const Mesh& mesh, Axis axis, int64_t rank,
                                   int64_t num_kv_heads) {
  const Coordinates c = coordinates(mesh, rank);
  const int64_t tp_cp = mesh.tp * mesh.cp, etp_ep = mesh.etp * mesh.ep, stage = mesh.stage_size();
  switch (axis) {
    case Axis::tp:
      return strided(rank - c.tp, 1, mesh.tp);
    case Axis::cp:
      return strided(rank - c.cp * mesh.tp, mesh.tp, mesh.cp);
    case Axis::dp:
      return strided(rank - c.dp * tp_cp, tp_cp, mesh.dp);
    case Axis::dp_cp:
      return strided(c.pp * stage + c.tp, mesh.tp, mesh.dp * mesh.cp);
    case Axis::pp:
      return strided(rank - c.pp * stage, stage, mesh.pp);
    case Axis::etp:
      return strided(rank - c.etp, 1, mesh.etp);
    case Axis::ep:
      return strided(rank - c.ep * mesh.etp, mesh.etp, mesh.ep);
    case Axis::edp:
      return strided(rank - c.edp * etp_ep, etp_ep, mesh.edp());
    case Axis::zero_shard:
      return shard_group(rank, c.dp * mesh.cp + c.cp, mesh.tp, degree(mesh, axis));
    case Axis::zero_replica:
      return replica_group(rank, c.dp * mesh.cp + c.cp, mesh.tp, degree(mesh, Axis::zero_shard),
                           degree(mesh, axis));
    case Axis::expert_zero_shard:
      return shard_group(rank, c.edp, etp_ep, degree(mesh, axis));
    case Axis::expert_zero_replica:
      return replica_group(rank, c.edp, etp_ep, degree(mesh, Axis::expert_zero_shard),
                           degree(mesh, axis));
    case Axis::world:
      return strided(0, 1, mesh.world_size());
    case Axis::embedding:
      // Stages in between stay alone: only the first and the last hold the tied table.
      if (mesh.pp > 1 && (c.pp == 0 || c.pp == mesh.pp - 1)) {
        return {rank - c.pp * stage, rank - c.pp * stage + (mesh.pp - 1) * stage};
      }
      return {rank};
    case Axis::kv_replica: {
      const int64_t copies =
          num_kv_heads > 0 && mesh.tp > num_kv_heads ? mesh.tp / num_kv_heads : 1;
      return strided(rank - c.tp % copies, 1, copies);
    }
  }
  CHECK(false, "axis ", static_cast<int>(axis));
  return {};
}

std::string to_string(const Mesh& mesh) {
  return concat("tp=", mesh.tp, " pp=", mesh.pp, " dp=", mesh.dp, " cp=", mesh.cp,
                " | etp=", mesh.etp, " ep=", mesh.ep, " edp=", mesh.edp());
}

}  // namespace argosy
