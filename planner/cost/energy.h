// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Energy and carbon, after LLMCarbon (Faiz et al., arXiv:2309.14393): what the machines draw in
// each phase of a step, what the building adds, what the grid emits for it, and the share of the
// machines' making that a run uses up.
#pragma once

#include "planner/spec/cluster.h"

namespace argosy {

// How the average device spends a step; the rest of it waits.
struct StepUse {
  double step_s = 0;
  double compute_s = 0;        // busy
  double communication_s = 0;  // communicating, nothing else beside
  double message_s = 0;        // of that, between stages of a pipeline
};

// Joule of one device over a step: busy, communicating and idle power, the building's overhead
// (PUE) not included. Phases that are longer than the step together are cut to it, computing
// first.
double step_energy_j(const ClusterSpec& cluster, const StepUse& use);

// What the building draws for `device_j` joule of its devices: kWh, PUE included.
double facility_kwh(const ClusterSpec& cluster, double device_j);

// LLMCarbon equation 8: kg CO2e of making the machines, by the share of their life that
// `num_devices` devices are used for `seconds`: sum over parts of units * kg_per_unit * count,
// times days over life.
double embodied_kg(const ClusterSpec& cluster, double num_devices, double seconds);

}  // namespace argosy
