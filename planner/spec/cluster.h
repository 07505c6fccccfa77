// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the machines are: facts with units in their names and a source beside every measured number.
// JSON with // comments.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/ledger.h"
#include "planner/spec/types.h"

namespace argosy {

// One point of an efficiency curve: at `size` the device reaches `efficiency` of its peak;
// log-linear between the points, constant outside.
struct EfficiencyPoint {
  double size = 0;
  double efficiency = 0;
};
using EfficiencyCurve = std::vector<EfficiencyPoint>;
double efficiency_at(const EfficiencyCurve& curve, double size);

struct Accelerator {
  std::string name;
  // Dense peak of matrix products, FLOP/s, by precision; 0: not supported.
  double fp64_flops_per_s = 0, fp32_flops_per_s = 0, bf16_flops_per_s = 0, fp8_flops_per_s = 0;
  int64_t memory_bytes = 0;       // of the device
  int64_t reserved_bytes = 0;     // context, communication buffers, fragmentation: not for tensors
  double memory_bytes_per_s = 0;  // streaming bandwidth
  double op_overhead_s = 0;       // launch or call cost of one op that nothing hides
  EfficiencyCurve matmul_efficiency;  // by FLOPs of one product
  // The same where a precision has its own; empty: matmul_efficiency.
  EfficiencyCurve fp64_matmul_efficiency, bf16_matmul_efficiency;
  EfficiencyCurve attention_efficiency;  // by FLOPs of one attention call
  EfficiencyCurve memory_efficiency;     // by bytes of one memory-bound op
  double peak_flops_per_s(Precision precision) const;
  const EfficiencyCurve& matmul_curve(Precision precision) const;
};

// One tier of the network: the first joins the devices of a node, the last everything.
struct LinkTier {
  std::string name;
  int64_t devices =
      0;  // ranks that such a group can hold at most: 8 for NVLink, all for the fabric
  double latency_s = 0;     // of one message
  double bytes_per_s = 0;   // per device, one direction
  double efficiency = 1.0;  // reached share of it for large messages
};

// Carbon of making one kind of part of a node.
struct HardwarePart {
  std::string name;
  double units = 0;        // size of one: cm2 of a die, GB of memory
  double kg_per_unit = 0;  // kg CO2e
  double per_node = 0;     // parts in a node
};

struct ClusterSpec {
  std::string name;
  Device device = Device::cuda;
  Accelerator accelerator;
  int64_t num_devices = 0;
  int64_t devices_per_node = 0;
  std::vector<LinkTier> tiers;  // ascending `devices`
  // Measured over modelled seconds of each kind of collective; 1: as the tiers say.
  std::array<double, kNumCollectiveKinds> collective_factors = {1, 1, 1, 1, 1, 1, 1};
  // Of a CPU, as Linux names it; what was measured on another one does not hold. Empty: not said.
  std::string cpu_model;
  bool may_oversubscribe =
      false;  // local-cpu: more ranks than cores is a rehearsal with a warning, not an error

  double device_mtbf_hours =
      0;  // mean time between failures of one device with its share of the node; 0: never
  double restart_s = 0;          // detection, relaunch and load after a failure
  double checkpoint_s = 0;       // stall of one checkpoint
  double node_repair_hours = 0;  // until a failed node is back; spares stand in for it
  // Per device, its share of host and network included: while it computes, while it only
  // communicates (device_power_w if the file is silent), while it waits.
  double device_power_w = 0, communication_power_w = 0, idle_power_w = 0;
  double pue = 1.0;
  double usd_per_device_hour = 0;
  double carbon_kg_per_kwh = 0;          // of the grid
  std::vector<HardwarePart> node_parts;  // empty: the making of the machines is not counted
  double hardware_life_years = 5;        // over which it is spread
};

struct ClusterReading {
  ClusterSpec cluster;
  std::vector<std::string> warnings;
};

// Throws ConfigError naming file and key. Every "source" key is free text and ignored.
ClusterReading read_cluster(const std::filesystem::path& path);
ClusterReading parse_cluster(std::string_view json_text, const std::string& name,
                             const std::string& where);
// Writes what `argosy-train --measure` found, units and source included.
std::string to_json(const ClusterSpec& cluster, const std::string& source);

}  // namespace argosy
