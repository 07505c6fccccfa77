// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/energy.h"

#include <algorithm>

namespace argosy {

namespace {

constexpr double kJoulePerKwh = 3.6e6;
constexpr double kSecondsPerYear = 365 * 86400.0;  // LLMCarbon's year

}  // namespace

double step_energy_j(const ClusterSpec& cluster, const StepUse& use) {
  const double compute_s = std::min(use.compute_s, use.step_s);
  const double communication_s = std::min(use.communication_s, use.step_s - compute_s);
  return compute_s * cluster.device_power_w + communication_s * cluster.communication_power_w +
         (use.step_s - compute_s - communication_s) * cluster.idle_power_w;
}

double facility_kwh(const ClusterSpec& cluster, double device_j) {
  return device_j * cluster.pue / kJoulePerKwh;
}

double embodied_kg(const ClusterSpec& cluster, double num_devices, double seconds) {
  if (cluster.node_parts.empty()) return 0;
  double node_kg = 0;
  for (const HardwarePart& part : cluster.node_parts) {
    node_kg += part.units * part.kg_per_unit * part.per_node;
  }
  const double nodes = num_devices / static_cast<double>(cluster.devices_per_node);
  return nodes * node_kg * seconds / (cluster.hardware_life_years * kSecondsPerYear);
}

}  // namespace argosy
