// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/cluster.h"

#include <algorithm>
#include <cmath>

#include "planner/spec/check.h"
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
  a.memory_bytes = object.positive_integer("memory_bytes");
  a.reserved_bytes = object.integer("reserved_bytes", 0);
  if (a.reserved_bytes < 0 || a.reserved_bytes >= a.memory_bytes) {
    object.fail("reserved_bytes", "must be between 0 and memory_bytes");
  }
  a.memory_bytes_per_s = object.positive_number("memory_bytes_per_s");
  a.op_overhead_s = read_non_negative(object, "op_overhead_s", 0);
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
  ignore_sources(object);
  return tier;
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
  cluster.device_power_w = read_non_negative(object, "device_power_w", 0);
  cluster.communication_power_w =
      read_non_negative(object, "communication_power_w", cluster.device_power_w);
  cluster.idle_power_w = read_non_negative(object, "idle_power_w", 0);
  cluster.pue = object.positive_number("pue", 1.0);
  cluster.usd_per_device_hour = read_non_negative(object, "usd_per_device_hour", 0);
  cluster.carbon_kg_per_kwh = read_non_negative(object, "carbon_kg_per_kwh", 0);
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
               {"memory_bytes", a.memory_bytes},
               {"reserved_bytes", a.reserved_bytes},
               {"memory_bytes_per_s", a.memory_bytes_per_s},
               {"op_overhead_s", a.op_overhead_s},
               {"matmul_efficiency", curve_json(a.matmul_efficiency)},
               {"attention_efficiency", curve_json(a.attention_efficiency)},
               {"memory_efficiency", curve_json(a.memory_efficiency)}};
  for (const auto& [key, member] : kOwnCurves) {
    if (!(a.*member).empty()) json[key] = curve_json(a.*member);
  }
  return json;
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
  if (object.has("operation")) {
    read_operation(object.object("operation"), cluster);
  } else {
    reading.warnings.push_back(
        concat(where, ": no \"operation\" section: cost, energy and carbon are 0, goodput is 1"));
  }
  if (object.has("embodied")) read_embodied(object.object("embodied"), cluster);
  ignore_sources(object);
  check_tiers(cluster, object);
  return reading;
}

ClusterReading read_cluster(const std::filesystem::path& path) {
  return parse_cluster(read_text_file(path), path.stem().string(), path.string());
}

std::string to_json(const ClusterSpec& cluster, const std::string& source) {
  Json tiers = Json::array();
  for (const LinkTier& tier : cluster.tiers) {
    tiers.push_back({{"name", tier.name},
                     {"devices", tier.devices},
                     {"latency_s", tier.latency_s},
                     {"bytes_per_s", tier.bytes_per_s},
                     {"efficiency", tier.efficiency}});
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
               {"operation",
                {{"device_mtbf_hours", cluster.device_mtbf_hours},
                 {"restart_s", cluster.restart_s},
                 {"checkpoint_s", cluster.checkpoint_s},
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
  return json.dump(2) + "\n";
}

}  // namespace argosy
