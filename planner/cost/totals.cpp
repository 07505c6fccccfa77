// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cost/totals.h"

#include "planner/cost/reliability.h"
#include "planner/spec/clock.h"
#include "planner/spec/work.h"

namespace argosy {

namespace {

double step_kwh(const Job& job, const StepUse& use) {
  return facility_kwh(job.cluster,
                      step_energy_j(job.cluster, use) * static_cast<double>(job.num_devices()));
}

}  // namespace

double checkpoint_bytes(const Job& job) {
  const double elements = static_cast<double>(count_parameters(job.model, job.lora).trainable);
  Plan plan;
  plan.precision = job.precision;
  plan.optimizer = job.optimizer;
  return elements * static_cast<double>(checkpoint_bytes_per_element(plan));
}

double paid_steps(const Job& job, double goodput) {
  return job.tokens / static_cast<double>(job.global_batch * job.seq_len) / goodput;
}

void predict_totals(const Job& job, const StepUse& use, Prediction& predicted) {
  const ClusterSpec& cluster = job.cluster;
  const Reliability operation = reliability(cluster, checkpoint_bytes(job));
  predicted.goodput = operation.goodput;
  predicted.checkpoint_interval_s = operation.checkpoint_interval_s;
  predicted.spare_nodes = operation.spare_nodes;
  if (job.tokens <= 0) return;
  const double devices = static_cast<double>(job.num_devices());
  const double steps = paid_steps(job, operation.goodput);
  const double run_s = steps * use.step_s;
  predicted.days = run_s / kSecondsPerDay;
  predicted.cost_usd = run_s / kSecondsPerHour * devices * cluster.usd_per_device_hour;
  predicted.energy_kwh = steps * step_kwh(job, use);
  predicted.embodied_kg = embodied_kg(cluster, devices, run_s);
  predicted.carbon_kg = predicted.energy_kwh * cluster.carbon_kg_per_kwh + predicted.embodied_kg;
}

double objective_value(const Job& job, const StepUse& use) {
  const double devices = static_cast<double>(job.num_devices());
  switch (job.objective) {
    case Objective::time:
      return use.step_s;
    case Objective::cost:
      return use.step_s / kSecondsPerHour * devices * job.cluster.usd_per_device_hour;
    case Objective::carbon:
      return step_kwh(job, use) * job.cluster.carbon_kg_per_kwh +
             embodied_kg(job.cluster, devices, use.step_s);
  }
  return use.step_s;
}

}  // namespace argosy
