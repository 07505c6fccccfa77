// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/cluster.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/cluster_units.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

// "source" and "..._source" are for people: where a number comes from.
void ignore_sources(JsonObject& object) {
  for (const std::string& name : object.unknown_keys()) {
    const std::string key = name.substr(name.rfind('.') + 1);
    if (key.ends_with("source")) object.ignore(key);
  }
  object.reject_unknown_keys();
}

EfficiencyCurve read_curve(JsonObject& object, const std::string& key) {
  EfficiencyCurve curve;
  for (const std::vector<double>& row : object.number_rows(key)) {
    if (row.size() != 2) object.fail(key, "expected rows of [size, efficiency]");
    if (row[0] <= 0 || row[1] <= 0 || row[1] > 1) {
      object.fail(key, "a size must be above 0 and an efficiency in (0, 1]");
    }
    if (!curve.empty() && row[0] <= curve.back().size) object.fail(key, "sizes must ascend");
    curve.push_back({row[0], row[1]});
  }
  if (curve.empty()) object.fail(key, "expected at least one [size, efficiency]");
  return curve;
}

// Curves of a precision of its own.
struct OwnCurve {
  const char* key;
  EfficiencyCurve Accelerator::*member;
};
constexpr OwnCurve kOwnCurves[] = {
    {"fp64_matmul_efficiency", &Accelerator::fp64_matmul_efficiency},
    {"bf16_matmul_efficiency", &Accelerator::bf16_matmul_efficiency}};

double read_non_negative(JsonObject& object, const std::string& key, double fallback) {
  const double value = object.number(key, fallback);
  if (value < 0) object.fail(key, "must not be negative");
  return value;
}

Accelerator read_accelerator(JsonObject object) {
  Accelerator a;
  a.name = object.text("name");
  a.fp64_flops_per_s = read_non_negative(object, "fp64_flops_per_s", 0);
  a.fp32_flops_per_s = read_non_negative(object, "fp32_flops_per_s", 0);
  a.bf16_flops_per_s = read_non_negative(object, "bf16_flops_per_s", 0);
  a.fp8_flops_per_s = read_non_negative(object, "fp8_flops_per_s", 0);
  a.sustained_share = object.positive_number("sustained_share", 1.0);
  if (a.sustained_share > 1) object.fail("sustained_share", "must be in (0, 1]");
  a.memory_bytes = object.positive_integer("memory_bytes");
  a.reserved_bytes = object.integer("reserved_bytes", 0);
  if (a.reserved_bytes < 0 || a.reserved_bytes >= a.memory_bytes) {
    object.fail("reserved_bytes", "must be between 0 and memory_bytes");
  }
  a.context_bytes = object.integer("context_bytes", 0);
  if (a.context_bytes < 0 || a.context_bytes > a.reserved_bytes) {
    object.fail("context_bytes", "must be between 0 and reserved_bytes");
  }
  a.memory_bytes_per_s = object.positive_number("memory_bytes_per_s");
  a.op_overhead_s = read_non_negative(object, "op_overhead_s", 0);
  a.host_launch_s = read_non_negative(object, "host_launch_s", 0);
  a.num_multiprocessors = object.integer("num_multiprocessors", 0);
  if (a.num_multiprocessors < 0) object.fail("num_multiprocessors", "must be at least 0");
  a.matmul_efficiency = read_curve(object, "matmul_efficiency");
  for (const auto& [key, member] : kOwnCurves) {
    if (object.has(key)) a.*member = read_curve(object, key);
  }
  a.attention_efficiency = read_curve(object, "attention_efficiency");
  a.memory_efficiency = read_curve(object, "memory_efficiency");
  ignore_sources(object);
  return a;
}

void read_collective_factors(JsonObject object, ClusterSpec& cluster) {
  for (int kind = 0; kind < kNumCollectiveKinds; ++kind) {
    const std::string name(to_string(static_cast<CollectiveKind>(kind)));
    cluster.collective_factors[static_cast<size_t>(kind)] = object.positive_number(name, 1.0);
  }
  ignore_sources(object);
}

LinkTier read_tier(JsonObject& object) {
  LinkTier tier;
  tier.name = object.text("name");
  tier.devices = object.positive_integer("devices");
  tier.latency_s = read_non_negative(object, "latency_s", 0);
  tier.bytes_per_s = object.positive_number("bytes_per_s");
  tier.efficiency = object.positive_number("efficiency", 1.0);
  if (tier.efficiency > 1) object.fail("efficiency", "must be in (0, 1]");
  tier.oversubscription = object.positive_number("oversubscription", 1.0);
  if (tier.oversubscription < 1) object.fail("oversubscription", "must be at least 1");
  ignore_sources(object);
  return tier;
}

struct Generation {
  const char* word;
  GpuGeneration generation;
};
constexpr Generation kGenerations[] = {{"ampere", GpuGeneration::ampere},
                                       {"hopper", GpuGeneration::hopper},
                                       {"blackwell", GpuGeneration::blackwell}};

CollectiveSettings read_collectives(JsonObject object) {
  CollectiveSettings settings;
  const std::string model = object.text("model");
  if (model != "plain" && model != "nccl") object.fail("model", "valid: plain, nccl");
  if (model == "nccl") {
    settings.model = CollectiveModel::nccl;
    const std::string word = object.text("generation");
    const auto* known =
        std::find_if(std::begin(kGenerations), std::end(kGenerations),
                     [&word](const Generation& generation) { return word == generation.word; });
    if (known == std::end(kGenerations)) {
      object.fail("generation", "valid: ampere, hopper, blackwell");
    }
    settings.generation = known->generation;
    settings.channels = object.positive_integer("channels", settings.channels);
    settings.network_channels =
        object.positive_integer("network_channels", settings.network_channels);
    settings.has_nvls = object.boolean("nvls", settings.has_nvls);
    if (settings.has_nvls && settings.generation == GpuGeneration::ampere) {
      object.fail("nvls", "ampere's switches do not add; valid: false");
    }
  }
  ignore_sources(object);
  return settings;
}

// Mean time between failures of a device with its share of the node: given for it or for the node.
double read_device_mtbf_hours(JsonObject& object, int64_t devices_per_node) {
  const double node_hours = read_non_negative(object, "node_mtbf_hours", 0);
  if (!object.has("node_mtbf_hours")) return read_non_negative(object, "device_mtbf_hours", 0);
  if (object.has("device_mtbf_hours")) {
    object.fail("device_mtbf_hours", "either this or node_mtbf_hours");
  }
  return node_hours * static_cast<double>(devices_per_node);
}

HardwarePart read_part(JsonObject& object) {
  HardwarePart part;
  part.name = object.text("name");
  part.units = object.positive_number("units");
  part.kg_per_unit = object.positive_number("kg_per_unit");
  part.per_node = object.positive_number("per_node");
  ignore_sources(object);
  return part;
}

void read_embodied(JsonObject object, ClusterSpec& cluster) {
  cluster.hardware_life_years = object.positive_number("life_years", 5.0);
  for (JsonObject& part : object.objects("node_parts")) {
    cluster.node_parts.push_back(read_part(part));
  }
  ignore_sources(object);
}

void read_operation(JsonObject object, ClusterSpec& cluster) {
  cluster.device_mtbf_hours = read_device_mtbf_hours(object, cluster.devices_per_node);
  cluster.node_repair_hours = read_non_negative(object, "node_repair_hours", 0);
  cluster.restart_s = read_non_negative(object, "restart_s", 0);
  cluster.checkpoint_s = read_non_negative(object, "checkpoint_s", 0);
  cluster.storage_bytes_per_s = read_non_negative(object, "storage_bytes_per_s", 0);
  cluster.snapshot_bytes_per_s = read_non_negative(object, "snapshot_bytes_per_s", 0);
  if (cluster.snapshot_bytes_per_s > 0 && cluster.storage_bytes_per_s == 0) {
    object.fail("snapshot_bytes_per_s", "needs storage_bytes_per_s");
  }
  cluster.device_power_w = read_non_negative(object, "device_power_w", 0);
  cluster.communication_power_w =
      read_non_negative(object, "communication_power_w", cluster.device_power_w);
  cluster.idle_power_w = read_non_negative(object, "idle_power_w", 0);
  cluster.pue = object.positive_number("pue", 1.0);
  if (cluster.pue < 1)
    object.fail("pue", "valid: at least 1, all that comes in over what computes");
  cluster.usd_per_device_hour = read_non_negative(object, "usd_per_device_hour", 0);
  cluster.carbon_kg_per_kwh = read_non_negative(object, "carbon_kg_per_kwh", 0);
  ignore_sources(object);
}

void read_host(JsonObject object, ClusterSpec& cluster) {
  cluster.host_memory_bytes = object.positive_integer("memory_bytes");
  cluster.host_memory_bytes_per_s = object.positive_number("memory_bytes_per_s");
  cluster.host_link_bytes_per_s = object.positive_number("link_bytes_per_s");
  ignore_sources(object);
}

void check_tiers(const ClusterSpec& cluster, const JsonObject& object) {
  if (cluster.tiers.empty()) object.fail("tiers", "expected at least one tier");
  for (size_t i = 1; i < cluster.tiers.size(); ++i) {
    if (cluster.tiers[i].devices <= cluster.tiers[i - 1].devices) {
      object.fail("tiers", "`devices` must ascend from tier to tier");
    }
  }
  if (cluster.tiers.back().devices < cluster.num_devices) {
    object.fail("tiers", concat("the last tier joins ", cluster.tiers.back().devices,
                                " devices, but the cluster has ", cluster.num_devices));
  }
}

}  // namespace

double efficiency_at(const EfficiencyCurve& curve, double size) {
  if (curve.empty()) return 1.0;
  if (size <= curve.front().size) return curve.front().efficiency;
  if (size >= curve.back().size) return curve.back().efficiency;
  const auto above = std::upper_bound(
      curve.begin(), curve.end(), size,
      [](double value, const EfficiencyPoint& point) { return value < point.size; });
  const EfficiencyPoint &low = *(above - 1), &high = *above;
  const double position = std::log(size / low.size) / std::log(high.size / low.size);
  return low.efficiency + position * (high.efficiency - low.efficiency);
}

const EfficiencyCurve& Accelerator::matmul_curve(Precision precision) const {
  const EfficiencyCurve* own = precision == Precision::fp64   ? &fp64_matmul_efficiency
                               : precision == Precision::bf16 ? &bf16_matmul_efficiency
                                                              : &matmul_efficiency;
  return own->empty() ? matmul_efficiency : *own;
}

int64_t unreserved_bytes(const Accelerator& accelerator) {
  return accelerator.memory_bytes - accelerator.reserved_bytes;
}

bool has_memory_band(const ClusterSpec& cluster) {
  return cluster.device == Device::cuda && cluster.accelerator.context_bytes > 0;
}

double reached_bytes_per_s(const LinkTier& tier) {
  return tier.bytes_per_s * tier.efficiency / tier.oversubscription;
}

double Accelerator::peak_flops_per_s(Precision precision) const {
  switch (precision) {
    case Precision::fp64:
      return fp64_flops_per_s;
    case Precision::fp32:
      return fp32_flops_per_s;
    case Precision::bf16:
      return bf16_flops_per_s;
    case Precision::fp8:
      return fp8_flops_per_s;
  }
  return 0;
}

ClusterReading parse_cluster(std::string_view json_text, const std::string& name,
                             const std::string& where) {
  const Json json = parse_json(json_text, where);
  JsonObject object(json, where);
  ClusterReading reading;
  ClusterSpec& cluster = reading.cluster;
  cluster.name = object.text("name", name);
  cluster.device = device_from_string(object.text("device"), where + ": device");
  cluster.num_devices = object.positive_integer("num_devices");
  cluster.devices_per_node = object.positive_integer("devices_per_node");
  cluster.may_oversubscribe = object.boolean("may_oversubscribe", false);
  cluster.accelerator = read_accelerator(object.object("accelerator"));
  for (JsonObject& tier : object.objects("tiers")) cluster.tiers.push_back(read_tier(tier));
  cluster.cpu_model = object.text("cpu_model", "");
  if (object.has("collective_factors")) {
    read_collective_factors(object.object("collective_factors"), cluster);
  }
  if (object.has("collectives")) {
    cluster.collectives = read_collectives(object.object("collectives"));
  }
  if (object.has("operation")) {
    read_operation(object.object("operation"), cluster);
  } else {
    reading.warnings.push_back(
        concat(where, ": no \"operation\" section: cost, energy and carbon are 0, goodput is 1"));
  }
  if (object.has("embodied")) read_embodied(object.object("embodied"), cluster);
  if (object.has("host")) read_host(object.object("host"), cluster);
  ignore_sources(object);
  check_tiers(cluster, object);
  for (std::string& warning : unit_warnings(cluster, where)) {
    reading.warnings.push_back(std::move(warning));
  }
  return reading;
}

ClusterReading read_cluster(const std::filesystem::path& path) {
  return parse_cluster(read_text_file(path), path.stem().string(), path.string());
}

}  // namespace argosy
