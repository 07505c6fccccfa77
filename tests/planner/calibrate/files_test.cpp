// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "planner/calibrate/corrections_file.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/host.h"
#include "planner/spec/json.h"
#include "tests/planner/calibrate/synthetic_run.h"

namespace argosy {
namespace {

class CalibrationFiles : public testing::Test {
 protected:
  CalibrationFiles()
      : folder_(std::filesystem::temp_directory_path() /
                concat("argosy_calibration_", ::getpid(), "_",
                       testing::UnitTest::GetInstance()->current_test_info()->name())) {
    create_directories(folder_);
    truth_.matmul = 1.25;
    run_ = synthetic_run("run", demo_plan(2, 2), cluster_, truth_);
  }
  ~CalibrationFiles() override { std::filesystem::remove_all(folder_); }

  std::string read_error(const std::filesystem::path& folder) const {
    try {
      read_run(folder);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no error";
  }
  void expect_mistake(const std::filesystem::path& folder, const std::string& named) const {
    const std::string message = read_error(folder);
    EXPECT_NE(message.find(named), std::string::npos) << message;
    EXPECT_NE(message.find(folder.string()), std::string::npos) << message;
  }

  ClusterSpec cluster_ = small_cluster();
  Corrections truth_;
  RunRecord run_;
  std::filesystem::path folder_;
};

TEST_F(CalibrationFiles, ARunReadsAsItsMedians) {
  const std::filesystem::path path = folder_ / "run";
  write_run(path, run_, 30);
  const RunRecord read = read_run(path);
  EXPECT_EQ(read.plan.mesh, run_.plan.mesh);
  EXPECT_EQ(read.cpu, "Test CPU");
  EXPECT_EQ(read.num_steps, 24);  // a fifth of 30 pays for first touches
  EXPECT_NEAR(read.measured.step_s, run_.measured.step_s, 1e-12);
  EXPECT_NEAR(read.measured.matmul_s, run_.measured.matmul_s, 1e-12);
  EXPECT_NEAR(read.measured.memory_s, run_.measured.memory_s, 1e-9);
  EXPECT_NEAR(read.scatter, 0, 1e-9);
  for (size_t kind = 0; kind < kNumCollectiveKinds; ++kind) {
    EXPECT_NEAR(read.measured.collective_s[kind], run_.measured.collective_s[kind], 1e-12) << kind;
  }
}

TEST_F(CalibrationFiles, StepsOfAnEarlierStartDoNotCount) {
  const std::filesystem::path path = folder_ / "run";
  write_run(path, run_, 30);
  Json machine = parse_json(read_text_file(path / "machine.json"), "machine.json");
  machine["first_step"] = 21;
  write_text_file(path / "machine.json", machine.dump());
  EXPECT_EQ(read_run(path).num_steps, 7);
  machine["first_step"] = 25;
  write_text_file(path / "machine.json", machine.dump());
  expect_mistake(path, "6 steps since the run's start; valid: at least 8");
}

TEST_F(CalibrationFiles, MistakesNameFolderAndFile) {
  const std::filesystem::path path = folder_ / "run";
  expect_mistake(path, "is no folder");
  write_run(path, run_, 4);
  expect_mistake(path, "metrics.jsonl: 4 steps");
  write_run(path, run_, 20);
  write_text_file(path / "metrics.jsonl", "{\"step\": 1, \"step_s\": 0.5}\n");
  expect_mistake(path, "metrics.jsonl line 1: parts_s");
  write_text_file(path / "metrics.jsonl", "{\"step\": 1, ");
  expect_mistake(path, "0 steps");
  write_run(path, run_, 20);
  remove(path / "machine.json");
  expect_mistake(path, "there is no machine.json");
  remove(path / "plan.json");
  expect_mistake(path, "there is no plan.json in it: a run without its plan");
}

TEST_F(CalibrationFiles, CorrectionsReadBack) {
  const CorrectionsFile file = corrections_file(learn({run_}, cluster_), cluster_, "Test CPU");
  const CorrectionsFile copy = parse_corrections(to_json(file), "copy");
  EXPECT_EQ(to_json(copy), to_json(file));
  ASSERT_EQ(copy.sets.size(), 1u);
  EXPECT_EQ(copy.sets[0].factors, file.sets[0].factors);
  EXPECT_EQ(copy.sets[0].runs.at(0).name, "run");
  EXPECT_THROW(parse_corrections("{}", "x"), ConfigError);
  Json broken = parse_json(to_json(file), "x");
  broken["sets"][0]["factors"]["matmul"] = -1;
  EXPECT_THROW(parse_corrections(broken.dump(), "x"), ConfigError);
}

TEST_F(CalibrationFiles, WhatDoesNotHoldIsSaid) {
  const CorrectionsFile file = corrections_file(learn({run_}, cluster_), cluster_, "Test CPU");
  EXPECT_EQ(objection(file, cluster_, "Test CPU"), "");
  EXPECT_NE(objection(file, cluster_, "Other CPU").find("learned on Test CPU, not on Other CPU"),
            std::string::npos);
  ClusterSpec other = cluster_;
  other.cpu_model = "Test CPU";  // said by the file: the host does not matter, but the facts do
  EXPECT_NE(objection(file, other, "Other CPU").find("have changed"), std::string::npos);
  other = cluster_;
  other.accelerator.memory_bytes_per_s *= 1.01;
  EXPECT_NE(objection(file, other, "Test CPU").find("have changed"), std::string::npos);
  other = cluster_;
  other.usd_per_device_hour = 7;
  EXPECT_EQ(objection(file, other, "Test CPU"), "");
  other.name = "elsewhere";
  EXPECT_NE(objection(file, other, "Test CPU").find("local-cpu"), std::string::npos);
  other = cluster_;
  other.accelerator.name = "another core";
  EXPECT_NE(objection(file, other, "Test CPU").find("another core"), std::string::npos);
}

TEST_F(CalibrationFiles, APlanFindsThoseBesideItsCluster) {
  const std::filesystem::path cluster_file = folder_ / "local-cpu.json";
  const auto find = [&](Precision precision, int64_t ranks, const std::string& choice) {
    return find_corrections(cluster_, cluster_file, precision, ranks, choice);
  };
  EXPECT_EQ(find(Precision::fp32, 2, "auto").factors.num_runs, 0);
  EXPECT_TRUE(find(Precision::fp32, 2, "auto").warnings.empty());
  const Learning learning = learn({run_}, cluster_);
  const std::filesystem::path path = corrections_path(cluster_file);
  EXPECT_EQ(path, folder_ / "local-cpu.corrections.json");
  write_text_file(path, to_json(corrections_file(learning, cluster_, cpu_model())));

  const AppliedCorrections found = find(Precision::fp32, 2, "auto");
  EXPECT_EQ(found.factors, learning.sets[0].factors);
  EXPECT_NE(
      corrections_note(found, "local-cpu").find("corrected by 1 run on local-cpu: matmul x1."),
      std::string::npos)
      << corrections_note(found, "local-cpu");
  EXPECT_NE(corrections_json(found).find("\"matmul\":1."), std::string::npos);
  EXPECT_EQ(find(Precision::fp32, 1, "auto").factors.num_runs, 1);
  EXPECT_EQ(find(Precision::fp32, 2, "none").factors.num_runs, 0);
  EXPECT_EQ(corrections_json(find(Precision::fp32, 2, "none")), "null");
  EXPECT_EQ(corrections_note(find(Precision::fp32, 2, "none"), "local-cpu"), "");
  for (const auto& [precision, ranks] : {std::pair{Precision::bf16, 2}, {Precision::fp32, 4}}) {
    const AppliedCorrections none = find(precision, ranks, "auto");
    EXPECT_EQ(none.factors.num_runs, 0);
    ASSERT_EQ(none.warnings.size(), 1u);
    EXPECT_NE(none.warnings[0].find("no run in it has"), std::string::npos);
  }

  write_text_file(path, to_json(corrections_file(learning, cluster_, "Other CPU")));
  const AppliedCorrections foreign = find(Precision::fp32, 2, "auto");
  EXPECT_EQ(foreign.factors.num_runs, 0);
  ASSERT_EQ(foreign.warnings.size(), 1u);
  EXPECT_NE(foreign.warnings[0].find("Other CPU"), std::string::npos);
  EXPECT_THROW(find(Precision::fp32, 2, path.string()), ConfigError);
  EXPECT_THROW(find(Precision::fp32, 2, (folder_ / "missing.json").string()), ConfigError);
}

}  // namespace
}  // namespace argosy
