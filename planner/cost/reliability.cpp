// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/reliability.h"

#include <algorithm>
#include <cmath>

#include "planner/cost/totals.h"
#include "planner/spec/clock.h"

namespace argosy {

namespace {

constexpr double kSpareConfidence = 0.99;
constexpr double kLowestGoodput = 0.01;  // a cluster that fails faster than it restarts

// Nodes in repair at once are Poisson distributed with mean nodes * repair / MTBF of a node: the
// smallest number that is not exceeded in kSpareConfidence of the time.
int64_t spare_nodes(double mean_in_repair) {
  double probability = std::exp(-mean_in_repair), cumulative = probability;
  int64_t spares = 0;
  while (cumulative < kSpareConfidence && probability > 0) {
    ++spares;
    probability *= mean_in_repair / static_cast<double>(spares);
    cumulative += probability;
  }
  return spares;
}

}  // namespace

double optimal_interval_s(double checkpoint_s, double mtbf_s) {
  if (checkpoint_s >= 2 * mtbf_s) return mtbf_s;
  const double ratio = checkpoint_s / (2 * mtbf_s);
  const double series = 1 + std::sqrt(ratio) / 3 + ratio / 9;
  return std::sqrt(2 * checkpoint_s * mtbf_s) * series - checkpoint_s;
}

double expected_goodput(double interval_s, double checkpoint_s, double restart_s, double mtbf_s) {
  const double restarts = std::exp(-restart_s / mtbf_s);
  if (interval_s <= 0) return restarts;  // the limit of free checkpoints
  return restarts * interval_s / (mtbf_s * std::expm1((interval_s + checkpoint_s) / mtbf_s));
}

CheckpointCost checkpoint_cost(const ClusterSpec& cluster, double checkpoint_bytes) {
  CheckpointCost cost;
  if (cluster.storage_bytes_per_s > 0) {
    cost.write_s = checkpoint_bytes / cluster.storage_bytes_per_s;
  }
  const double devices = static_cast<double>(cluster.num_devices);
  cost.stall_s =
      cluster.checkpoint_s + (cluster.snapshot_bytes_per_s > 0
                                  ? checkpoint_bytes / (devices * cluster.snapshot_bytes_per_s)
                                  : cost.write_s);
  cost.restart_s = cluster.restart_s + cost.write_s;
  return cost;
}

Reliability reliability(const ClusterSpec& cluster, double checkpoint_bytes) {
  Reliability result;
  if (cluster.num_devices <= 0) return result;
  result.checkpoint = checkpoint_cost(cluster, checkpoint_bytes);
  if (cluster.device_mtbf_hours <= 0) return result;
  const auto& [stall_s, write_s, restart_s] = result.checkpoint;
  const double devices = static_cast<double>(cluster.num_devices);
  result.mtbf_s = cluster.device_mtbf_hours * kSecondsPerHour / devices;
  result.checkpoint_interval_s =
      std::max(optimal_interval_s(stall_s, result.mtbf_s), write_s - stall_s);
  result.goodput = std::max(kLowestGoodput, expected_goodput(result.checkpoint_interval_s, stall_s,
                                                             restart_s, result.mtbf_s));
  result.failures_per_day = kSecondsPerDay / result.mtbf_s;
  result.spare_nodes = spare_nodes(cluster.node_repair_hours * kSecondsPerHour / result.mtbf_s);
  return result;
}

}  // namespace argosy
