// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/compute.h"

#include <algorithm>
#include <limits>

#include "planner/spec/check.h"
#include "planner/spec/integers.h"

namespace argosy {

double op_seconds(const OpWork& op, const Accelerator& accelerator, Precision precision) {
  const double flops = static_cast<double>(op.flops), bytes = static_cast<double>(op.bytes);
  double seconds = 0;
  if (bytes > 0) {
    seconds = bytes / (accelerator.memory_bytes_per_s *
                       efficiency_at(accelerator.memory_efficiency, bytes));
  }
  if (flops > 0) {
    const bool is_in_8_bits = precision == Precision::fp8 && op.is_block_product;
    const double peak = accelerator.peak_flops_per_s(
        precision == Precision::fp8 && !is_in_8_bits ? Precision::bf16 : precision);
    CHECK(peak > 0, accelerator.name, " has no peak for ", to_string(precision));
    const EfficiencyCurve& curve = op.kind == OpKind::attention
                                       ? accelerator.attention_efficiency
                                       : accelerator.matmul_curve(precision);
    // Before a product in 8 bits come the casts of what it multiplies.
    const double cast_s = is_in_8_bits ? kCastShare * seconds : 0;
    const double reached = peak * accelerator.sustained_share * efficiency_at(curve, flops);
    seconds = std::max(seconds, flops / reached) + cast_s;
  }
  return static_cast<double>(op.count) * (seconds + accelerator.op_overhead_s);
}

namespace {

// Tiles of the result that one multiprocessor works on, as CUTLASS's default kernels have them, and
// what it reaches of its peak with them: smaller ones read more operands for each FLOP. Estimates.
struct Tile {
  int64_t rows, cols;
  double share;
};
constexpr Tile kTiles[] = {{256, 128, 1.0}, {128, 256, 1.0}, {128, 128, 0.95},
                           {128, 64, 0.8},  {64, 128, 0.8},  {64, 64, 0.6}};
constexpr int64_t kSplits[] = {1, 2, 4, 8};  // parts of the depth that are added up afterwards
constexpr double kDepthLatency =
    128;  // steps of the depth until the first tile is loaded: an estimate

}  // namespace

double tile_efficiency(const OpWork& product, int64_t num_multiprocessors) {
  double least = std::numeric_limits<double>::infinity();  // multiply-adds of one multiprocessor
  for (const Tile& tile : kTiles) {
    const int64_t tiles = ceil_div(product.rows, tile.rows) * ceil_div(product.cols, tile.cols);
    for (const int64_t split : kSplits) {
      const double depth = static_cast<double>(ceil_div(product.depth, split)) + kDepthLatency;
      const int64_t waves = ceil_div(tiles * split, num_multiprocessors);
      least =
          std::min(least, static_cast<double>(waves * tile.rows * tile.cols) * depth / tile.share);
    }
  }
  const double needed = static_cast<double>(product.rows) * static_cast<double>(product.cols) *
                        static_cast<double>(product.depth);
  return needed / (least * static_cast<double>(num_multiprocessors));
}

double compute_seconds(const Pass& pass, const Accelerator& accelerator, Precision precision) {
  double seconds = 0;
  for (const OpWork& op : pass.ops) seconds += op_seconds(op, accelerator, precision);
  return seconds;
}

int64_t total_flops(const Pass& pass) {
  int64_t flops = 0;
  for (const OpWork& op : pass.ops) flops += op.flops * op.count;
  return flops;
}

ClusterSpec with_devices(const ClusterSpec& cluster, int64_t num_devices) {
  ClusterSpec seen = cluster;
  seen.num_devices = num_devices;
  if (num_devices <= cluster.num_devices || !cluster.may_oversubscribe) return seen;
  const double share = static_cast<double>(cluster.num_devices) / static_cast<double>(num_devices);
  Accelerator& a = seen.accelerator;
  for (double* rate : {&a.fp64_flops_per_s, &a.fp32_flops_per_s, &a.bf16_flops_per_s,
                       &a.fp8_flops_per_s, &a.memory_bytes_per_s}) {
    *rate *= share;
  }
  a.memory_bytes = static_cast<int64_t>(static_cast<double>(a.memory_bytes) * share);
  a.reserved_bytes = static_cast<int64_t>(static_cast<double>(a.reserved_bytes) * share);
  a.op_overhead_s /= share;
  for (LinkTier& tier : seen.tiers) {
    tier.bytes_per_s *= share;
    tier.latency_s /= share;
  }
  // Power and price belong to the cores, not to the ranks that share them.
  seen.device_power_w *= share;
  seen.communication_power_w *= share;
  seen.idle_power_w *= share;
  seen.usd_per_device_hour *= share;
  const int64_t nodes = cluster.num_devices / cluster.devices_per_node;
  seen.devices_per_node = (num_devices + nodes - 1) / std::max<int64_t>(nodes, 1);
  return seen;
}

}  // namespace argosy
