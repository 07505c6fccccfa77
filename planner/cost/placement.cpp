// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/placement.h"

#include <algorithm>

#include "planner/spec/integers.h"

namespace argosy {

namespace {

// Number of domains of `domain` devices that ranks start, start + stride, ... touch.
int64_t domains_touched(int64_t start, int64_t size, int64_t stride, int64_t domain) {
  if (stride >= domain) return size;
  return (start + (size - 1) * stride) / domain - start / domain + 1;
}

// Most domains that any group of the axis touches. Groups repeat with the least common multiple of
// block and domain, and inside of a block the last group reaches farthest.
int64_t most_domains(int64_t size, int64_t stride, int64_t domain, int64_t num_devices) {
  int64_t most = 1;
  const int64_t block = size * stride;
  for (int64_t i = 0; i <= domain && i * block < num_devices; ++i) {
    for (int64_t offset : {int64_t{0}, stride - 1}) {
      most = std::max(most, domains_touched(i * block + offset, size, stride, domain));
    }
    if (i > 0 && i * block % domain == 0) break;
  }
  return std::min(most, size);
}

// Members of a group on the devices: `outer` runs, `outer_stride` apart, of `inner` members,
// `stride` apart. Runs lie in blocks of block_devices that follow each other.
struct GroupShape {
  int64_t inner = 1, stride = 1;
  int64_t outer = 1, outer_stride = 0, block_devices = 0;
  int64_t size() const { return inner * outer; }
};

int64_t domains_of_runs(const GroupShape& shape, int64_t domain, int64_t num_devices) {
  const int64_t far = shape.outer_stride;
  if (domain % far == 0) {  // whole runs in a domain
    return most_domains(shape.outer, 1, domain / far, num_devices / far);
  }
  int64_t of_run = 1;
  for (int64_t start = 0; start < far; start += shape.block_devices) {
    for (int64_t offset : {int64_t{0}, shape.stride - 1}) {
      of_run = std::max(of_run, domains_touched(start + offset, shape.inner, shape.stride, domain));
    }
    if (start > 0 && start % domain == 0) break;
  }
  // A run that starts anywhere touches one more at most.
  if (far % domain != 0) of_run = std::min(shape.inner, of_run + 1);
  return std::min(shape.size(), shape.outer * of_run);
}

GroupPlacement place(const GroupShape& shape, const ClusterSpec& cluster) {
  GroupPlacement placement;
  placement.size = shape.size();
  int64_t below = placement.size;  // branches still to be joined
  for (const LinkTier& tier : cluster.tiers) {
    const bool last = &tier == &cluster.tiers.back();
    const int64_t most =
        last ? 1
        : shape.outer > 1
            ? domains_of_runs(shape, tier.devices, cluster.num_devices)
            : most_domains(shape.inner, shape.stride, tier.devices, cluster.num_devices);
    const int64_t domains = std::min(below, most);
    placement.branches.push_back(ceil_div(below, domains));
    below = domains;
  }
  return placement;
}

// Distance of the ranks of two neighbours in a group of one pipeline stage.
int64_t rank_stride(const Mesh& mesh, Axis axis) {
  switch (axis) {
    case Axis::tp:
    case Axis::etp:
    case Axis::kv_replica:
    case Axis::world:
      return 1;
    case Axis::cp:
    case Axis::dp_cp:
    case Axis::zero_shard:
      return mesh.tp;
    case Axis::zero_replica:
      return mesh.tp * std::max<int64_t>(mesh.zero_shard, 1);
    case Axis::dp:
      return mesh.tp * mesh.cp;
    case Axis::pp:
      return mesh.stage_size();
    case Axis::ep:
      return mesh.etp;
    case Axis::edp:
    case Axis::expert_zero_shard:
      return mesh.etp * mesh.ep;
    case Axis::expert_zero_replica:
      return mesh.etp * mesh.ep * degree(mesh, Axis::expert_zero_shard);
    case Axis::embedding:
      return mesh.stage_size() * std::max<int64_t>(mesh.pp - 1, 1);
  }
  return 1;
}

// Devices between the same ranks of neighbouring stages.
int64_t stage_stride(const Mesh& mesh) {
  return mesh.order == RankOrder::tp_cp_dp_pp ? mesh.stage_size() : mesh.tp * mesh.cp;
}

GroupShape shape_of(const Mesh& mesh, Axis axis, int64_t size) {
  const int64_t stride = rank_stride(mesh, axis), block = mesh.tp * mesh.cp;
  if (mesh.order == RankOrder::tp_cp_dp_pp || axis == Axis::world) return {size, stride};
  if (axis == Axis::pp || axis == Axis::embedding) {
    return {size, stride / mesh.stage_size() * stage_stride(mesh)};
  }
  if (size * stride <= block) return {size, stride};
  if (stride >= block) return {size, stride / block * block * mesh.pp};
  const int64_t inner = block / stride;
  return {inner, stride, size / inner, block * mesh.pp, block};
}

}  // namespace

double side_by_side(const GroupPlacement& placement, size_t tier) {
  double ranks = 1;
  for (size_t i = 0; i < tier; ++i) ranks *= static_cast<double>(placement.branches[i]);
  return ranks;
}

GroupPlacement place(int64_t size, int64_t stride, const ClusterSpec& cluster) {
  return place(GroupShape{size, stride}, cluster);
}

GroupPlacement place(const Mesh& mesh, Axis axis, int64_t num_kv_heads,
                     const ClusterSpec& cluster) {
  int64_t size = 1;
  if (axis == Axis::kv_replica) {
    size = num_kv_heads > 0 && mesh.tp > num_kv_heads ? mesh.tp / num_kv_heads : 1;
  } else {
    size = degree(mesh, axis);
  }
  return place(shape_of(mesh, axis, size), cluster);
}

int tier_between(const Mesh& mesh, int64_t pipeline_rank, int64_t other,
                 const ClusterSpec& cluster) {
  if (pipeline_rank == other) return -1;
  const int64_t stride = stage_stride(mesh), pipeline = stride * mesh.pp;
  const int64_t begin = std::min(pipeline_rank, other) * stride;
  const int64_t last = (std::max(pipeline_rank, other) + 1) * stride - 1;
  const bool is_one = pipeline >= mesh.world_size();  // else pipelines follow each other
  int tier = 0;
  for (; tier + 1 < static_cast<int>(cluster.tiers.size()); ++tier) {
    const int64_t domain = cluster.tiers[static_cast<size_t>(tier)].devices;
    if (!is_one && domain % pipeline == 0) break;
    const bool repeats = is_one || pipeline % domain == 0;
    if (repeats && begin / domain == last / domain) break;
  }
  return tier;
}

}  // namespace argosy
