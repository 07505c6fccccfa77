// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Corrections from past runs: what they measured over what the planner says of their plans today.
#pragma once

#include <string>
#include <vector>

#include "planner/calibrate/run_record.h"
#include "planner/spec/cluster.h"
#include "planner/spec/corrections.h"

namespace argosy {

// A run that counts: its step as measured, as predicted by the cluster file alone, and corrected.
struct LearnedRun {
  std::string name, model, layout;
  int64_t num_steps = 0;
  double measured_step_s = 0, predicted_step_s = 0, corrected_step_s = 0;
};

// What holds for plans of one precision with so many ranks on a device of the cluster.
struct CorrectionSet {
  Precision precision = Precision::fp32;
  double ranks_per_device = 1;  // as ranks_per_device() says
  Corrections factors;
  std::vector<LearnedRun> runs;
};

struct Learning {
  std::vector<CorrectionSet> sets;
  std::vector<std::string> left_out;  // runs that do not count, each with the reason
};

// How busy the fullest node is when `num_ranks` run on the cluster: 1 with a rank on each of its
// devices; less leaves caches and memory bandwidth to those that work; more is a rehearsal whose
// ranks share cores.
double ranks_per_device(const ClusterSpec& cluster, int64_t num_ranks);

// By kind of work the factor of statistics.h over the runs of a set, of those runs in which the
// kind is a part of the step worth the name; `rest` from what is left between the measured steps
// and the predictions so corrected. Left out are runs whose steps scatter too much or whose machine
// multiplied at another rate than the cluster's: disturbed, or not of this cluster. Throws
// ConfigError for a run of a cluster of another name or, where the file says what its CPU is, of
// another CPU, for runs of different CPUs, and if no run is left.
Learning learn(const std::vector<RunRecord>& runs, const ClusterSpec& cluster);

}  // namespace argosy
