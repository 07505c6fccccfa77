// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which rank belongs to which group: pure arithmetic over two grids that share the ranks of one
// pipeline stage (parallel folding, Megatron Core, arXiv 2504.14960). No MPI here; 100,000 ranks
// are as cheap as one.
//
//   attention grid  tp x cp x dp      experts' grid  etp x ep x edp      tp*cp*dp == etp*ep*edp
//   rank = pp_index * (tp*cp*dp) + ((dp_index * cp) + cp_index) * tp + tp_index        (tp fastest,
//   pp slowest) and within the stage also     = ((edp_index * ep) + ep_index) * etp + etp_index
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace argosy {

// A direction of communication. `axis` is a mesh word; tensors have `dim`s.
//   dp_cp       ranks that hold the same dense parameters and see other tokens: ZeRO shards over
//   these embedding   first and last pipeline stage at equal other coordinates: keeps tied
//   embeddings equal kv_replica  tensor-parallel ranks that hold a copy of the same key/value head
//   (tp > kv heads)
//   zero_shard, zero_replica   hybrid sharding (Mesh::zero_shard): the ranks of dp_cp that share
//   ZeRO's shards, and those that hold the same shard; expert_* the same of edp
enum class Axis {
  tp,
  cp,
  dp,
  pp,
  etp,
  ep,
  edp,
  dp_cp,
  embedding,
  kv_replica,
  zero_shard,
  zero_replica,
  expert_zero_shard,
  expert_zero_replica,
  world
};
inline constexpr int kNumAxes = 15;
std::string_view to_string(Axis axis);

// Where ranks sit on the devices; their numbers and groups are the same in each.
//   tp_cp_dp_pp  rank r on device r: pipeline stages lie apart, as in Megatron-LM
//   tp_cp_pp_dp  whole pipelines lie together and data-parallel copies apart
// The first keeps the sums of gradients near and sends activations far, the second the reverse.
enum class RankOrder { tp_cp_dp_pp, tp_cp_pp_dp };
std::string_view to_string(RankOrder order);  // "tp-cp-dp-pp"
// Throws ConfigError naming `where`, `text` and the words that are valid.
RankOrder rank_order_from_string(std::string_view text, std::string_view where);

struct Mesh {
  int64_t tp = 1, pp = 1, dp = 1, cp = 1;  // degrees
  int64_t ep = 1, etp = 1;                 // experts; edp follows
  // Hybrid sharding (FSDP's HYBRID_SHARD): so many neighbours of dp_cp share ZeRO's shards among
  // them, and each such group holds all of them. Experts shard within the same tp * zero_shard
  // neighbours. 0: all of dp_cp, and of edp.
  int64_t zero_shard = 0;
  RankOrder order = RankOrder::tp_cp_dp_pp;

  int64_t stage_size() const { return tp * cp * dp; }  // ranks per pipeline stage
  int64_t world_size() const { return stage_size() * pp; }
  int64_t edp() const { return stage_size() / (ep * etp); }
  auto operator<=>(const Mesh&) const = default;
};

struct Coordinates {
  int64_t tp = 0, cp = 0, dp = 0, pp = 0;
  int64_t etp = 0, ep = 0, edp = 0;
  auto operator<=>(const Coordinates&) const = default;
};

// Half-open range of indices.
struct Range {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
  bool empty() const { return end <= begin; }
  auto operator<=>(const Range&) const = default;
};
Range intersect(Range a, Range b);  // of size 0 where they do not meet

// Part `index` of [0, size) cut into `parts`; the first size % parts parts are one longer. The one
// rule for every ragged split: vocabulary, layers, ZeRO shards.
Range split_range(int64_t size, int64_t parts, int64_t index);
std::vector<int64_t> split_sizes(int64_t size, int64_t parts);

// Throws ConfigError, printing every factor, unless all degrees are >= 1 and both grids cover the
// same ranks.
void validate(const Mesh& mesh);

Coordinates coordinates(const Mesh& mesh, int64_t rank);
int64_t rank_of(const Mesh& mesh, const Coordinates& attention_coordinates);  // from tp, cp, dp, pp

// Device of a rank, counted through the nodes of the cluster: the rank itself, or with tp_cp_pp_dp
// (dp_index * pp + pp_index) * (tp*cp) + cp_index * tp + tp_index.
int64_t device_of_rank(const Mesh& mesh, int64_t rank);

// Whether groups lie in the order's blocks or are made of whole ones, as validate() demands.
bool order_divides(const Mesh& mesh);

// Size of the group; not for kv_replica, which depends on the model. Without hybrid sharding the
// groups of its axes have one member: dp_cp and edp shard.
int64_t degree(const Mesh& mesh, Axis axis);

// World ranks of the group of `rank` along `axis`, ascending; the rank's position in it is its
// group rank. `num_kv_heads` matters for kv_replica alone: its groups are the tp/num_kv_heads
// neighbours in tp that share a head.
std::vector<int64_t> group_members(const Mesh& mesh, Axis axis, int64_t rank,
                                   int64_t num_kv_heads = 0);

// "tp=2 pp=2 dp=1 cp=1 | etp=1 ep=2 edp=1", as printed in tables.
std::string to_string(const Mesh& mesh);

}  // namespace argosy
