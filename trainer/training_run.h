// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A training run on one rank, from options to exit code: how it starts (training_start.cpp), its
// steps and its end (train_command.cpp).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/spec/timeline.h"
#include "trainer/run/progress.h"
#include "trainer/run/run_dir.h"
#include "trainer/run/step_line.h"
#include "trainer/run/step_parts.h"
#include "trainer/run_saves.h"
#include "trainer/run_setup.h"
#include "trainer/start_point.h"
#include "trainer/train_command.h"
#include "trainer/trainer.h"
#include "trainer/watchdog.h"

namespace argosy {

class TrainingRun {
 public:
  // Opens the plan and the data. What is given must outlive it.
  TrainingRun(const TrainOptions& options, DeviceContext& device, Communicator& world,
              const TrainHost& host);

  // Returns the exit code.
  int operator()();
  // For a run that has thrown: its status.json, where it has got that far.
  void write_failure(int exit_code, const std::string& message);

 private:
  bool is_root() const { return world_.rank() == 0; }
  const Plan& plan() const { return inputs_.plan; }
  bool is_gpu() const { return device_.backend().cuda() != nullptr; }
  void say(const std::string& text, Emphasis emphasis = Emphasis::plain) {
    if (is_root()) progress_.text(text, emphasis);
  }
  void lap(std::string_view phase) {
    if (host_.start_times != nullptr) host_.start_times->lap(phase);
  }

  // --- its start

  void open_run_dir();
  void prepare();
  void tell_data();
  void make_trainer();
  void tell_places();
  void tell_graphs();
  void tell_gpu();
  void measure_peak();
  void write_machine() const;
  void tell_start();
  void restore();
  std::optional<std::string> problem_of_loading();
  void fall_back(const std::string& problem);
  void set_damaged_aside();
  void begin_run_dir();

  // --- its steps and its end

  int train();
  bool run_step(int64_t step);
  StepResult step_or_rescue(int64_t step, double lr);
  void tell_slow_paths();
  void tell_captured(int64_t step);
  void report_step(StepMetrics metrics);
  void warn_of_doubtful_peak(int64_t step, const std::string& text);
  void warn_of_no_targets(int64_t step);
  double evaluate(int64_t step);
  void tell_saved(int64_t step, const std::string& text);
  int finish(RunState state, int exit_code, const std::string& message);

  TrainOptions options_;  // with the length that the data give the run
  Communicator& world_;
  const TrainHost& host_;
  RunInputs inputs_;
  Progress progress_;
  DeviceContext& device_;
  std::unique_ptr<RunDir> run_dir_;  // rank 0
  std::unique_ptr<Trainer> trainer_;
  Heartbeat heartbeat_;
  EtaEstimator eta_;
  MeanParts mean_parts_;
  Timeline last_timeline_;
  double peak_flops_per_s_ = 0;  // of all ranks together
  bool doubts_peak_ = false;     // and has said so
  int64_t memory_limit_bytes_ = 0;
  StartPoint start_;
  int64_t last_step_ = 0;
  std::optional<RunSaves> saves_;     // of trainer_, once there is one
  std::optional<Watchdog> watchdog_;  // declared last: ends first
};

}  // namespace argosy
