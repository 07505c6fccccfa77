// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-plan --calibrate and --learn.
#include <iostream>

#include "planner/calibrate/calibrate.h"
#include "planner/calibrate/corrections_file.h"
#include "planner/cluster_file.h"
#include "planner/config_files.h"
#include "planner/messages.h"
#include "planner/options.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"

namespace argosy {

namespace {

constexpr const char* kAssumed = "local-cpu";
constexpr const char* kCalibrated = "calibrated.json";

}  // namespace

void run_calibration(const PlanOptions& options) {
  if (!options.learn.empty()) {
    throw ConfigError("--calibrate: with --learn; valid: one after the other");
  }
  CalibrationRequest request;
  request.out = options.out.empty() ? kCalibrated : options.out;
  require_writable("--out", request.out);
  request.assumed = find_cluster(options.cluster.empty() ? kAssumed : options.cluster);
  request.num_devices = options.devices;
  request.seconds = options.calibrate_s;
  const ClusterSpec assumed = read_cluster_file(request.assumed).cluster;
  const ClusterReading reading = calibrate(request);
  const ClusterSpec& measured = reading.cluster;
  for (const std::string& warning : reading.warnings) warn(warning);
  if (options.json) {
    std::cout << calibration_json(measured, assumed, request.out);
    return;
  }
  std::cout << calibration_table(measured, assumed) << request.out.string()
            << " holds it; price, power and carbon are those of " << assumed.name << "\n";
}

void run_learning(const PlanOptions& options) {
  const std::filesystem::path cluster_file = find_cluster(options.cluster);
  const ClusterSpec cluster = read_cluster_file(cluster_file).cluster;
  const std::filesystem::path path =
      options.out.empty() ? corrections_path(cluster_file) : std::filesystem::path(options.out);
  require_writable("--out", path);
  std::vector<RunRecord> runs;
  for (const std::string& folder : options.learn) runs.push_back(read_run(folder));
  const Learning learning = learn(runs, cluster);
  const CorrectionsFile file = corrections_file(learning, cluster, runs.front().cpu);
  const std::string text = to_json(file);
  write_text_file(path, text);
  if (options.json) {
    for (const std::string& line : learning.left_out) warn(line);
    std::cout << text;
    return;
  }
  std::cout << learning_text(learning) << "wrote " << path.string()
            << (options.out.empty() ? concat("; the next plan for ", cluster.name, " uses it\n")
                                    : "; --corrections names it to a plan\n");
}

}  // namespace argosy
