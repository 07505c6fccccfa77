// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// From a row to what the planner predicts: model, machines, and the configurations that its cells
// leave open. A row that cannot be represented says why.
#pragma once

#include <string>
#include <vector>

#include "planner/cost/job.h"
#include "planner/score/published_run.h"

namespace argosy {

// The network of a row. Throws ConfigError saying what cannot be represented.
ModelSpec model_of(const PublishedRun& run);

// The accelerator's file of `accelerators` with the devices, nodes and bandwidths of the row.
// Throws ConfigError if the accelerator is not known.
ClusterSpec cluster_of(const PublishedRun& run, const std::vector<ClusterSpec>& accelerators);
// All clusters in the files of a folder, by file name.
std::vector<ClusterSpec> read_accelerators(const std::filesystem::path& folder);

// One configuration, or several where cells are blank and the stack does not fill them.
struct RunSetup {
  Job job;  // with the stack, but for its numbers
  std::vector<Candidate> candidates;
};
// Throws ConfigError saying what the row lacks or what does not divide.
RunSetup setup_of(const PublishedRun& run, const StackProfile& stack,
                  const std::vector<ClusterSpec>& accelerators);

// Seconds of the measured step: from the iteration's time, else tokens/s, else TFLOP/s or MFU by
// the source's own count of FLOPs, else days for a number of tokens that the notes name. 0: nothing
// of it was measured. `plan` is one of the row's configurations.
double measured_step_s(const PublishedRun& run, const Plan& plan);

}  // namespace argosy
