// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Runs that never ran: what the planner predicts, times known factors.
#pragma once

#include <filesystem>
#include <string>

#include "planner/calibrate/run_record.h"
#include "planner/spec/cluster.h"
#include "planner/spec/corrections.h"

namespace argosy {

// configs/clusters/local-cpu.json
ClusterSpec small_cluster();

// A plan of demo-moe over `num_ranks` data-parallel ranks in groups of `ep`, fp32.
Plan demo_plan(int64_t num_ranks, int64_t ep);

// A run of it whose work took what is predicted for the cluster as `truth` corrects it.
RunRecord synthetic_run(const std::string& name, const Plan& plan, const ClusterSpec& cluster,
                        const Corrections& truth);

// The same as a folder: plan.json, machine.json, metrics.jsonl of `num_steps`, of which the first
// three take ten times as long and every seventh twice as long.
void write_run(const std::filesystem::path& folder, const RunRecord& run, int64_t num_steps);

}  // namespace argosy
