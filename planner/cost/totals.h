// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a whole run takes: days, money, energy, carbon.
#pragma once

#include "planner/cost/job.h"

namespace argosy {

// Power draw of one device over a step: full while it computes or communicates, idle in the
// bubble. Joule per step, the building's overhead (PUE) not included.
double step_energy_j(const ClusterSpec& cluster, double step_s, double busy_s);

// Fills days, goodput, cost_usd, energy_kwh and carbon_kg from step_s; without job.tokens the run
// has no length and all but goodput stay 0. `busy_s`: per step, of the average device.
void predict_totals(const Job& job, double busy_s, Prediction& predicted);

// The number that the job's objective makes small: seconds, dollars or kg CO2 of one step.
double objective_value(const Job& job, double step_s, double busy_s);

}  // namespace argosy
