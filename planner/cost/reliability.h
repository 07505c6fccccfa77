// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What failures take: how often the cluster fails, how often it should checkpoint, what is left of
// its time, and how many spare nodes keep it whole.
//
// Failures come at random at a constant rate 1/M; any of them stops the job. Letters: M mean time
// between failures of all devices in use, d stall of a checkpoint, R restart, t work between
// checkpoints, B bytes of a checkpoint.
//
//   d = checkpoint_s + B / storage, or B / (devices * snapshot) where hosts take a copy first
//   R = restart_s + B / storage
#pragma once

#include <cstdint>

#include "planner/spec/cluster.h"

namespace argosy {

// What a checkpoint of so many bytes costs.
struct CheckpointCost {
  double stall_s = 0;    // d
  double write_s = 0;    // until storage has it: a later one does not begin before
  double restart_s = 0;  // R, loading included
};
CheckpointCost checkpoint_cost(const ClusterSpec& cluster, double checkpoint_bytes);

struct Reliability {
  CheckpointCost checkpoint;
  double mtbf_s = 0;                 // M of the devices in use; 0: they never fail
  double checkpoint_interval_s = 0;  // work between two checkpoints; 0: none, or free ones always
  double goodput = 1;                // useful share of the time, in (0, 1]
  double failures_per_day = 0;
  int64_t spare_nodes = 0;  // with them a node is at hand at 99% of failures
};

// The interval after Daly (FGCS 22(3), 2006, equation 37; its first term is Young's sqrt(2 d M),
// CACM 17(9), 1974): sqrt(2dM) (1 + sqrt(d/2M)/3 + d/18M) - d, and M where d >= 2M.
double optimal_interval_s(double checkpoint_s, double mtbf_s);

// Daly's complete model (equation 20): t over the expected time of t with its checkpoint, failures
// at any time, restarts included: t / (M e^(R/M) (e^((t+d)/M) - 1)).
double expected_goodput(double interval_s, double checkpoint_s, double restart_s, double mtbf_s);

// Of a job on all devices of the cluster, whose checkpoint has so many bytes.
Reliability reliability(const ClusterSpec& cluster, double checkpoint_bytes);

}  // namespace argosy
