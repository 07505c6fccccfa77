// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/totals.h"

#include <algorithm>

namespace argosy {

namespace {

constexpr double kSecondsPerHour = 3600.0;
constexpr double kSecondsPerDay = 86400.0;
constexpr double kJoulePerKwh = 3.6e6;
constexpr double kLowestGoodput = 0.01;  // a cluster that fails faster than it restarts

}  // namespace

double step_energy_j(const ClusterSpec& cluster, double step_s, double busy_s) {
  const double busy = std::min(busy_s, step_s);
  return busy * cluster.device_power_w + (step_s - busy) * cluster.idle_power_w;
}

void predict_totals(const Job& job, double busy_s, Prediction& predicted) {
  const ClusterSpec& cluster = job.cluster;
  predicted.goodput = std::max(kLowestGoodput, cluster.goodput());
  if (job.tokens <= 0) return;
  const double steps = job.tokens / static_cast<double>(job.global_batch * job.seq_len);
  const double devices = static_cast<double>(job.num_devices());
  // Lost time costs what useful time costs: steps are done again, and machines wait for a restart.
  const double paid_steps = steps / predicted.goodput;
  predicted.days = paid_steps * predicted.step_s / kSecondsPerDay;
  predicted.cost_usd =
      paid_steps * predicted.step_s / kSecondsPerHour * devices * cluster.usd_per_device_hour;
  predicted.energy_kwh = paid_steps * step_energy_j(cluster, predicted.step_s, busy_s) * devices *
                         cluster.pue / kJoulePerKwh;
  predicted.carbon_kg = predicted.energy_kwh * cluster.carbon_kg_per_kwh;
}

double objective_value(const Job& job, double step_s, double busy_s) {
  const double devices = static_cast<double>(job.num_devices());
  switch (job.objective) {
    case Objective::time:
      return step_s;
    case Objective::cost:
      return step_s / kSecondsPerHour * devices * job.cluster.usd_per_device_hour;
    case Objective::carbon:
      return step_energy_j(job.cluster, step_s, busy_s) * devices * job.cluster.pue / kJoulePerKwh *
             job.cluster.carbon_kg_per_kwh;
  }
  return step_s;
}

}  // namespace argosy
