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
  int64_t memory_bytes = 0;    // of the device
  int64_t reserved_bytes = 0;  // context, communication buffers, fragmentation: not for tensors
  int64_t context_bytes = 0;   // the first of these alone; 0: no band (planner/cost/memory_band.h)
  // Of the rates that peaks and efficiency curves give: what tensor cores keep through steps of
  // seconds, when power and heat hold the clocks down. Curves come from short benchmarks.
  double sustained_share = 1;
  double memory_bytes_per_s = 0;  // streaming bandwidth
  double op_overhead_s = 0;       // launch or call cost of one op that nothing hides
  // Of a GPU: what the host takes to put one kernel, product or collective on a queue, beside what
  // runs there. Steps of the trainer are not faster than it; 0: no such floor.
  double host_launch_s = 0;
  int64_t num_multiprocessors = 0;    // of a GPU: products run as waves of tiles; 0: not one
  EfficiencyCurve matmul_efficiency;  // by FLOPs of one product
  // The same where a precision has its own; empty: matmul_efficiency.
  EfficiencyCurve fp64_matmul_efficiency, bf16_matmul_efficiency;
  EfficiencyCurve attention_efficiency;  // by FLOPs of one attention call
  EfficiencyCurve memory_efficiency;     // by bytes of one memory-bound op
  double peak_flops_per_s(Precision precision) const;
  const EfficiencyCurve& matmul_curve(Precision precision) const;
};

// One tier of the network. The first joins the devices of a node (or of a rack that NVLink joins),
// the second nodes; a third and further ones join islands: pods behind a thinner spine, halls,
// data centres. The last joins everything.
struct LinkTier {
  std::string name;
  int64_t devices =
      0;  // ranks that such a group can hold at most: 8 for NVLink, all for the fabric
  double latency_s = 0;         // of one message
  double bytes_per_s = 0;       // per device, one direction
  double efficiency = 1.0;      // reached share of it for large messages
  double oversubscription = 1;  // devices' links to uplinks: 7 where a pod has a seventh
};

// What a device has of a tier while all devices below it use it at once, for large messages.
double reached_bytes_per_s(const LinkTier& tier);

// Whose algorithms time collectives (planner/cost/collective.h):
//   plain  rings and trees from latency and bandwidth of the tiers: MPI, CPUs
//   nccl   NCCL's choice of algorithm and protocol, with the tables of its tuner
enum class CollectiveModel { plain, nccl };
enum class GpuGeneration { ampere, hopper, blackwell };  // rows of NCCL's tables

struct CollectiveSettings {
  CollectiveModel model = CollectiveModel::plain;
  GpuGeneration generation = GpuGeneration::hopper;
  int64_t channels = 16;         // rings side by side inside of a node
  int64_t network_channels = 8;  // between nodes at most; two an adapter
  bool has_nvls = false;         // the switch adds and multicasts (NVLink SHARP)
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
  // Of a node: memory that jobs may use, its bandwidth, and one direction of the link between the
  // host and one device. 0: not described, nothing can be offloaded.
  int64_t host_memory_bytes = 0;
  double host_memory_bytes_per_s = 0, host_link_bytes_per_s = 0;
  CollectiveSettings collectives;
  bool may_oversubscribe =
      false;  // local-cpu: more ranks than cores is a rehearsal with a warning, not an error

  double device_mtbf_hours =
      0;  // mean time between failures of one device with its share of the node; 0: never
  double restart_s = 0;     // detection and relaunch after a failure
  double checkpoint_s = 0;  // stall of one checkpoint whatever its size
  // All devices together; 0: what a checkpoint's bytes take is in checkpoint_s and restart_s.
  double storage_bytes_per_s = 0;
  // Of a device to its host's memory, from where it is written beside the next steps; 0: steps wait
  // for the storage.
  double snapshot_bytes_per_s = 0;
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

// What reserved_bytes leaves of a device to tensors.
int64_t unreserved_bytes(const Accelerator& accelerator);
// Whether the file tells what else a device's memory holds: then a plan fits with a probability
// (planner/cost/memory_band.h), else it fits or it does not.
bool has_memory_band(const ClusterSpec& cluster);

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
