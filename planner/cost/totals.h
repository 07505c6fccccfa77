// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a whole run takes: days, money, energy, carbon.
#pragma once

#include "planner/cost/energy.h"
#include "planner/cost/job.h"

namespace argosy {

// Weights and optimizer state of what is trained, once for all ranks: what a checkpoint holds.
double checkpoint_bytes(const Job& job);

// Steps that the whole run (job.tokens) pays for: its own, and as many as are done again or pass
// while machines wait for a restart.
double paid_steps(const Job& job, double goodput);

// Fills goodput, checkpoint_interval_s and spare_nodes from the cluster, and days, cost_usd,
// energy_kwh, carbon_kg and embodied_kg from the step; without job.tokens the run has no length and
// these stay 0. Lost time costs what useful time costs: goodput is in all of them.
void predict_totals(const Job& job, const StepUse& use, Prediction& predicted);

// The number that the job's objective makes small: seconds, dollars or kg CO2e of one step, the
// latter with the machines' making.
double objective_value(const Job& job, const StepUse& use);

}  // namespace argosy
