// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// NAME.corrections.json beside NAME.json: what was learned for a cluster, and whether it still
// holds.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "planner/calibrate/learn.h"

namespace argosy {

struct CorrectionsFile {
  std::string cluster, accelerator;
  std::string cpu_model;  // that the runs ran on; empty: not a CPU
  std::string facts;      // fingerprint of the cluster's numbers
  std::string learned;    // date
  std::vector<CorrectionSet> sets;
};

// clusters/x.json -> clusters/x.corrections.json
std::filesystem::path corrections_path(const std::filesystem::path& cluster_file);

// Of the numbers that predictions of time come from; prices may change.
std::string fingerprint(const ClusterSpec& cluster);

CorrectionsFile corrections_file(const Learning& learning, const ClusterSpec& cluster,
                                 const std::string& cpu_model);
std::string to_json(const CorrectionsFile& file);
// Throws ConfigError naming file and key.
CorrectionsFile parse_corrections(std::string_view json_text, const std::string& where);

// Why they do not hold for this cluster; empty: they do. Where the cluster file does not say what
// its CPU is, it describes the machine at hand, `host_cpu`.
std::string objection(const CorrectionsFile& file, const ClusterSpec& cluster,
                      const std::string& host_cpu);

// The corrections that a plan uses.
struct AppliedCorrections {
  Corrections factors;         // num_runs 0: none
  std::filesystem::path path;  // where they are from
  std::vector<std::string> warnings;
};

// Of `cluster` as its file says, for `num_ranks` ranks: the set of the precision whose runs kept a
// node's devices as busy, or the nearest if no ranks share a device. choice: "auto" (the file
// beside, where there is one; what does not hold is left aside with a warning), "none", or a file
// (what does not hold is a ConfigError).
AppliedCorrections find_corrections(const ClusterSpec& cluster,
                                    const std::filesystem::path& cluster_file, Precision precision,
                                    int64_t num_ranks, const std::string& choice);

// "corrected by 3 runs on local-cpu: matmul x1.18, all_reduce x1.40"; empty without corrections.
std::string corrections_note(const AppliedCorrections& applied, const std::string& cluster);
// {"file", "num_runs", "factors": {...}} or null.
std::string corrections_json(const AppliedCorrections& applied);

// What was learned, a table a set, and what was left out.
std::string learning_text(const Learning& learning);

}  // namespace argosy
