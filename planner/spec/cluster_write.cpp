// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A cluster file from a ClusterSpec: what `--measure` writes.
#include "planner/spec/cluster.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

Json curve_json(const EfficiencyCurve& curve) {
  Json rows = Json::array();
  for (const EfficiencyPoint& point : curve) rows.push_back({point.size, point.efficiency});
  return rows;
}

Json factors_json(const ClusterSpec& cluster) {
  Json factors = Json::object();
  for (int kind = 0; kind < kNumCollectiveKinds; ++kind) {
    const double factor = cluster.collective_factors[static_cast<size_t>(kind)];
    if (factor != 1) factors[std::string(to_string(static_cast<CollectiveKind>(kind)))] = factor;
  }
  return factors;
}

Json accelerator_json(const Accelerator& a) {
  Json json = {{"name", a.name},
               {"fp64_flops_per_s", a.fp64_flops_per_s},
               {"fp32_flops_per_s", a.fp32_flops_per_s},
               {"bf16_flops_per_s", a.bf16_flops_per_s},
               {"fp8_flops_per_s", a.fp8_flops_per_s},
               {"sustained_share", a.sustained_share},
               {"memory_bytes", a.memory_bytes},
               {"reserved_bytes", a.reserved_bytes},
               {"context_bytes", a.context_bytes},
               {"memory_bytes_per_s", a.memory_bytes_per_s},
               {"op_overhead_s", a.op_overhead_s},
               {"host_launch_s", a.host_launch_s},
               {"num_multiprocessors", a.num_multiprocessors},
               {"matmul_efficiency", curve_json(a.matmul_efficiency)},
               {"attention_efficiency", curve_json(a.attention_efficiency)},
               {"memory_efficiency", curve_json(a.memory_efficiency)}};
  const auto add_curve = [&json](const char* key, const EfficiencyCurve& curve) {
    if (!curve.empty()) json[key] = curve_json(curve);
  };
  add_curve("fp64_matmul_efficiency", a.fp64_matmul_efficiency);
  add_curve("bf16_matmul_efficiency", a.bf16_matmul_efficiency);
  return json;
}

Json collectives_json(const CollectiveSettings& settings) {
  if (settings.model == CollectiveModel::plain) return {{"model", "plain"}};
  const char* generation = settings.generation == GpuGeneration::ampere   ? "ampere"
                           : settings.generation == GpuGeneration::hopper ? "hopper"
                                                                          : "blackwell";
  return {{"model", "nccl"},
          {"generation", generation},
          {"channels", settings.channels},
          {"network_channels", settings.network_channels},
          {"nvls", settings.has_nvls}};
}

}  // namespace

std::string to_json(const ClusterSpec& cluster, const std::string& source) {
  Json tiers = Json::array();
  for (const LinkTier& tier : cluster.tiers) {
    tiers.push_back({{"name", tier.name},
                     {"devices", tier.devices},
                     {"latency_s", tier.latency_s},
                     {"bytes_per_s", tier.bytes_per_s},
                     {"efficiency", tier.efficiency},
                     {"oversubscription", tier.oversubscription}});
  }
  Json parts = Json::array();
  for (const HardwarePart& part : cluster.node_parts) {
    parts.push_back({{"name", part.name},
                     {"units", part.units},
                     {"kg_per_unit", part.kg_per_unit},
                     {"per_node", part.per_node}});
  }
  Json json = {{"name", cluster.name},
               {"source", source},
               {"device", to_string(cluster.device)},
               {"num_devices", cluster.num_devices},
               {"devices_per_node", cluster.devices_per_node},
               {"may_oversubscribe", cluster.may_oversubscribe},
               {"accelerator", accelerator_json(cluster.accelerator)},
               {"tiers", tiers},
               {"collectives", collectives_json(cluster.collectives)},
               {"operation",
                {{"device_mtbf_hours", cluster.device_mtbf_hours},
                 {"restart_s", cluster.restart_s},
                 {"checkpoint_s", cluster.checkpoint_s},
                 {"storage_bytes_per_s", cluster.storage_bytes_per_s},
                 {"snapshot_bytes_per_s", cluster.snapshot_bytes_per_s},
                 {"node_repair_hours", cluster.node_repair_hours},
                 {"device_power_w", cluster.device_power_w},
                 {"communication_power_w", cluster.communication_power_w},
                 {"idle_power_w", cluster.idle_power_w},
                 {"pue", cluster.pue},
                 {"usd_per_device_hour", cluster.usd_per_device_hour},
                 {"carbon_kg_per_kwh", cluster.carbon_kg_per_kwh}}},
               {"embodied", {{"life_years", cluster.hardware_life_years}, {"node_parts", parts}}}};
  if (!cluster.cpu_model.empty()) json["cpu_model"] = cluster.cpu_model;
  if (Json factors = factors_json(cluster); !factors.empty()) {
    json["collective_factors"] = std::move(factors);
  }
  if (cluster.host_memory_bytes > 0) {
    json["host"] = {{"memory_bytes", cluster.host_memory_bytes},
                    {"memory_bytes_per_s", cluster.host_memory_bytes_per_s},
                    {"link_bytes_per_s", cluster.host_link_bytes_per_s}};
  }
  return json.dump(2) + "\n";
}

}  // namespace argosy
