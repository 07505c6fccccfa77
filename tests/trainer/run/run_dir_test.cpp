// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/run/run_dir.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <thread>

#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/host.h"
#include "planner/spec/json.h"

namespace argosy {
namespace {

class RunDirTest : public testing::Test {
 protected:
  RunDirTest()
      : root_(std::filesystem::temp_directory_path() /
              concat("argosy_run_dir_", ::getpid(), "_",
                     testing::UnitTest::GetInstance()->current_test_info()->name())),
        path_(root_ / "deep" / "run") {}
  ~RunDirTest() override { std::filesystem::remove_all(root_); }

  std::string read(const std::string& name) const { return read_text_file(path_ / name); }

  std::filesystem::path root_, path_;
};

StepMetrics step(int64_t number, double loss = 1) {
  StepMetrics metrics;
  metrics.step = number;
  metrics.loss = loss;
  return metrics;
}

std::vector<int64_t> steps_in(const std::filesystem::path& path) {
  std::vector<int64_t> steps;
  for (const StepMetrics& metrics : read_metrics(path)) steps.push_back(metrics.step);
  return steps;
}

TEST_F(RunDirTest, FreshRunWritesItsFiles) {
  RunDir run(path_, /*is_resume=*/false);
  run.begin("{\"plan\": 1}\n", "steps = 3\n", 0);
  run.append(step(1, 0.1));
  run.append(step(2, 0.2));
  EXPECT_EQ(read("plan.json"), "{\"plan\": 1}\n");
  EXPECT_EQ(read("run.cfg"), "steps = 3\n");
  // Readable while the run goes on.
  EXPECT_EQ(read_metrics(run.metrics()), (std::vector<StepMetrics>{step(1, 0.1), step(2, 0.2)}));
}

TEST_F(RunDirTest, SaysWhatItRunsOn) {
  RunDir run(path_, false);
  run.write_machine({.device = Device::cpu,
                     .cpu = "Some CPU",
                     .cores = 2,
                     .ranks = 4,
                     .local_ranks = 4,
                     .threads_per_rank = 1,
                     .peak_flops_per_s = 0.1,
                     .first_step = 7});
  const Json json = parse_json(read("machine.json"), "machine.json");
  EXPECT_EQ(json["device"], "cpu");
  EXPECT_EQ(json["cpu"], "Some CPU");
  EXPECT_EQ(json["ranks"], 4);
  EXPECT_EQ(json["threads_per_rank"], 1);
  EXPECT_EQ(json["peak_flops_per_s"], 0.1);
  EXPECT_EQ(json["first_step"], 7);
}

TEST_F(RunDirTest, ResumeDropsLaterStepsAndHalfLines) {
  {
    RunDir run(path_, false);
    run.begin("plan", "", 0);
    for (int64_t i = 1; i <= 5; ++i) run.append(step(i));
  }
  std::ofstream(path_ / "metrics.jsonl", std::ios::app) << "{\"step\": 6, \"lo";
  RunDir run(path_, true);
  run.begin("plan", "", 3);
  EXPECT_EQ(steps_in(run.metrics()), (std::vector<int64_t>{1, 2, 3}));
  run.append(step(4, 9));
  EXPECT_EQ(steps_in(run.metrics()), (std::vector<int64_t>{1, 2, 3, 4}));
  EXPECT_FALSE(std::filesystem::exists(path_ / "plan.step_3.json"));  // the same plan
}

TEST_F(RunDirTest, AnotherPlanKeepsTheOlderOne) {
  RunDir(path_, false).begin("old", "", 0);
  RunDir(path_, true).begin("new", "", 40);
  EXPECT_EQ(read("plan.json"), "new");
  EXPECT_EQ(read("plan.step_40.json"), "old");
}

// A start that has left no step is none.
TEST_F(RunDirTest, StartsAreNumberedByTheStepsTheyLeft) {
  for (const int64_t resume_step : {0, 1, 1, 2}) {
    RunDir run(path_, resume_step > 0);
    run.begin("plan", "", resume_step);
    const int64_t expected = resume_step == 0 ? 1 : resume_step == 1 ? 2 : 3;
    EXPECT_EQ(run.start(), expected) << "from step " << resume_step;
    StepMetrics metrics = step(resume_step + 1);
    if (resume_step > 0) metrics.start = run.start();  // or as older versions wrote it
    run.append(metrics);
  }
}

TEST_F(RunDirTest, SecondFreshRunStartsOver) {
  {
    RunDir run(path_, false);
    run.begin("old", "", 0);
    run.append(step(1));
  }
  RunDir run(path_, false);
  run.begin("new", "", 0);
  EXPECT_TRUE(steps_in(run.metrics()).empty());
  EXPECT_EQ(read("plan.json"), "new");
}

TEST_F(RunDirTest, RefusesCheckpointsOfAnotherRun) {
  std::filesystem::create_directories(path_ / "checkpoints" / "step_00000100");
  try {
    RunDir run(path_, false);
    FAIL() << "no ConfigError";
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("step_00000100"), std::string::npos) << message;
    EXPECT_NE(message.find("--resume"), std::string::npos) << message;
  }
  EXPECT_NO_THROW(RunDir(path_, true));
}

TEST_F(RunDirTest, RefusesAFile) {
  std::filesystem::create_directories(path_.parent_path());
  std::ofstream(path_) << "x";
  EXPECT_THROW(RunDir(path_, false), ConfigError);
  EXPECT_THROW(RunDir(path_ / "below", false), ConfigError);
}

// /proc: nobody can, not even root, whose permissions say otherwise.
TEST_F(RunDirTest, RefusesFoldersThatTakeNoFiles) {
  const auto mistake = [&](const std::filesystem::path& path) -> std::string {
    try {
      RunDir(path, false);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_TRUE(mistake("/proc").starts_with("--run-dir: no file can be made in /proc: "));
  std::filesystem::create_directories(path_);
  std::filesystem::create_symlink("/proc", path_ / "checkpoints");
  const std::string text = mistake(path_);
  EXPECT_TRUE(
      text.starts_with("--run-dir: no file can be made in " + path_.string() + "/checkpoints: "))
      << text;
  std::filesystem::remove(path_ / "checkpoints");
  std::ofstream(path_ / "checkpoints") << "a file";
  EXPECT_TRUE(mistake(path_).ends_with(
      "/checkpoints: Not a directory; valid: a folder of yours, or a new one in it"))
      << mistake(path_);
  std::filesystem::remove(path_ / "checkpoints");
  EXPECT_EQ(mistake(path_), "none");
  EXPECT_TRUE(std::filesystem::is_empty(path_));
}

TEST_F(RunDirTest, StatusSaysHowItGoesAndHowItEnded) {
  RunDir run(path_, false);
  run.write_status(RunState::running, 0, 5, "");
  Json status = parse_json(read("status.json"), "status");
  EXPECT_EQ(status["state"], "running");
  EXPECT_TRUE(status["exit_code"].is_null());
  EXPECT_TRUE(status["ended"].is_null());
  EXPECT_EQ(status["started"].get<std::string>().size(),
            std::string("2026-11-21T08:00:20Z").size());
  run.write_status(RunState::requeue, kExitRequeue, 7, "saved \"step 7\" \xff");
  status = parse_json(read("status.json"), "status");
  EXPECT_EQ(status["state"], "requeue");
  EXPECT_EQ(status["exit_code"], 75);
  EXPECT_EQ(status["step"], 7);
  EXPECT_EQ(status["message"], "saved \"step 7\" \xef\xbf\xbd");  // U+FFFD for what is not UTF-8
  EXPECT_TRUE(status["ended"].is_string());
}

// Who finds "running" can tell whether it is: when it was written, and by whom.
TEST_F(RunDirTest, StatusFollowsTheStepsOnceASecond) {
  RunDir run(path_, false);
  run.begin("plan", "", 0);
  run.write_status(RunState::running, 0, 0, "");
  const auto status = [&](const char* key) { return Json::parse(read("status.json"))[key]; };
  const std::time_t before = std::time(nullptr);
  EXPECT_EQ(status("pid"), ::getpid());
  EXPECT_EQ(status("host"), host_name());
  run.append(step(1));
  EXPECT_EQ(status("step"), 0) << "a write a step would cost fast steps";
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  run.append(step(2));
  EXPECT_EQ(status("step"), 2);
  EXPECT_EQ(status("state"), "running");
  EXPECT_GT(status("updated_unix_s").get<std::time_t>(), before);
  run.append(step(3));
  write_failure_of_rank(path_, 1, "rank 3: nothing moves");
  EXPECT_EQ(status("step"), 3) << "the last one of metrics.jsonl";
}

TEST_F(RunDirTest, EventsAreAppendedAcrossRuns) {
  for (int64_t resume_step : {0, 4}) {
    RunDir run(path_, resume_step > 0);
    run.begin("plan", "", resume_step);
    run.append_event(resume_step, "start", "line one\nline two");
  }
  const std::string events = read("events.jsonl");
  EXPECT_EQ(std::count(events.begin(), events.end(), '\n'), 2);
  const Json first = parse_json(events.substr(0, events.find('\n')), "events");
  EXPECT_EQ(first["event"], "start");
  EXPECT_EQ(first["message"], "line one\nline two");
}

TEST_F(RunDirTest, RankThatFailsAloneSaysSo) {
  RunDir run(path_, false);
  run.write_status(RunState::running, 0, 7, "");
  write_failure_of_rank(path_, 1, "rank 3: out of memory");
  Json status = Json::parse(read("status.json"));
  EXPECT_EQ(status["state"], "failed");
  EXPECT_EQ(status["exit_code"], 1);
  EXPECT_EQ(status["step"], 7);
  EXPECT_EQ(status["message"], "rank 3: out of memory");
  EXPECT_TRUE(status["ended"].is_string());

  // Rank 0 was first, or there is nothing to write to.
  write_failure_of_rank(path_, 1, "rank 2: later");
  EXPECT_EQ(Json::parse(read("status.json"))["message"], "rank 3: out of memory");
  write_failure_of_rank(root_ / "none", 1, "rank 2");
  EXPECT_FALSE(std::filesystem::exists(root_ / "none"));
}

}  // namespace
}  // namespace argosy
