// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Measures the machine at hand: argosy-train --measure under mpirun, started as a program, so that
// the planner needs no MPI itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "planner/spec/cluster.h"

namespace argosy {

struct CalibrationRequest {
  std::filesystem::path out;      // the cluster file to write
  std::filesystem::path assumed;  // the file that was planned with: price and power come from it
  int64_t num_devices = 0;        // ranks that measure at once; 0: the cores of this machine
  double seconds = 30;            // of measuring; the start of the ranks comes to it
};

// The longest time that the measuring is given.
inline constexpr double kMaxCalibration_s = 50;

// Returns what was measured, as it reads back from `out`, with a warning where other programs had
// the cores meanwhile. Throws ConfigError where mpirun or argosy-train is missing or says that the
// request is wrong and where more ranks than cores are asked for (a rank that waits for its turn
// does not notice in a short measurement), Error where it failed for another reason; its own words
// have gone to standard error then.
ClusterReading calibrate(const CalibrationRequest& request);

// What was measured beside what was assumed, a line a fact.
std::string calibration_table(const ClusterSpec& measured, const ClusterSpec& assumed);
// The same as a JSON object: {"cluster", "file", "facts": [{"name","measured","assumed"}]}.
std::string calibration_json(const ClusterSpec& measured, const ClusterSpec& assumed,
                             const std::filesystem::path& file);

}  // namespace argosy
