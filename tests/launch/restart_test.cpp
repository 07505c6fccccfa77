// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What the end of an attempt means, and what is asked of the arguments of a job that may be started
// again. The processes themselves: end_to_end/restart_test.cpp.
#include "launch/restart.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "launch/words.h"
#include "planner/spec/check.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

AttemptEnd end_with(int exit_code, int64_t newest_step, bool began = true) {
  return {.exit_code = exit_code, .began = began, .newest_step = newest_step, .message = {}};
}

TEST(Restart, TheBudgetCountsRestartsSinceTheLastCheckpoint) {
  RestartBudget budget{.max_restarts = 2};
  EXPECT_EQ(after_attempt(end_with(137, 0), &budget).line,
            "attempt 1 was killed by SIGKILL; attempt 2 begins at step 1: there is no checkpoint "
            "yet (restart 1 of 2)");
  EXPECT_EQ(after_attempt(end_with(1, 5), &budget).line,
            "attempt 2 failed with exit code 1; attempt 3 goes on from step 5 (restart 1 of 2)");
  EXPECT_TRUE(after_attempt(end_with(1, 5), &budget).starts_again);
  const RestartDecision last = after_attempt(end_with(1, 5), &budget);
  EXPECT_FALSE(last.starts_again);
  EXPECT_EQ(last.line,
            "attempt 4 failed with exit code 1; not started again: 2 restarts brought no "
            "checkpoint after step 5 (--max-restarts)");
}

TEST(Restart, WhatIsDoneOrWrongIsNotRepeated) {
  RestartBudget budget{.max_restarts = 2};
  for (const int code : {kExitDone, kExitUserError}) {
    const RestartDecision decision = after_attempt(end_with(code, 5), &budget);
    EXPECT_FALSE(decision.starts_again) << code;
    EXPECT_EQ(decision.line, "") << code;
  }
  const RestartDecision refused = after_attempt(end_with(kExitDoNotRequeue, 5), &budget);
  EXPECT_FALSE(refused.starts_again);
  EXPECT_TRUE(refused.line.ends_with("exit code 93 asks for no restart")) << refused.line;
}

// Nobody asked this launcher: the ranks got the signal.
TEST(Restart, AJobThatSavedAndStoppedGoesOn) {
  RestartBudget budget{.max_restarts = 1};
  EXPECT_EQ(after_attempt(end_with(kExitRequeue, 7), &budget).line,
            "attempt 1 was stopped by a signal and saved; attempt 2 goes on from step 7 (restart 1 "
            "of 1)");
}

TEST(Restart, HostsThatAreNotThereAreWaitedFor) {
  RestartBudget budget{.max_restarts = 9, .newest_step = 3};
  int64_t waited_s = 0;
  for (const int64_t pause_s : {5, 10, 20, 40, 80, 160, 300, 300}) {
    const RestartDecision decision = after_attempt(end_with(1, 3, /*began=*/false), &budget);
    EXPECT_EQ(decision.pause_s, pause_s);
    EXPECT_FALSE(budget.has_begun) << "the user's own --resume is still to come";
    EXPECT_NE(decision.line.find(" starts as the first "), std::string::npos) << decision.line;
    waited_s += decision.pause_s;
  }
  EXPECT_EQ(waited_s, 915);
  const RestartDecision begun = after_attempt(end_with(1, 3), &budget);
  EXPECT_EQ(begun.pause_s, 0);
  EXPECT_TRUE(budget.has_begun);
}

TEST(Restart, TheTrainersOwnCodeCounts) {
  const RunFacts before{.newest_step = 0, .status_written = {}, .exit_code = {}, .message = {}};
  RunFacts after = before;
  EXPECT_FALSE(end_of_attempt(1, before, after).began);
  after.status_written = fs::file_time_type(seconds(1));
  AttemptEnd end = end_of_attempt(137, before, after);  // killed: it says "running"
  EXPECT_TRUE(end.began);
  EXPECT_EQ(end.exit_code, 137);
  after.exit_code = kExitUserError;
  after.message = "no such file";
  end = end_of_attempt(137, before, after);
  EXPECT_EQ(end.exit_code, kExitUserError);
  EXPECT_EQ(end.message, "no such file");
  end = end_of_attempt(137, after, after);  // of an older attempt
  EXPECT_FALSE(end.began);
  EXPECT_EQ(end.exit_code, 137);
  EXPECT_EQ(end_of_attempt(kExitDone, before, after).exit_code, kExitDone);
  after.exit_code = kExitDone;  // it crashed behind its last line
  EXPECT_EQ(end_of_attempt(139, before, after).exit_code, 139);
}

class RestartFolder : public testing::Test {
 protected:
  RestartFolder()
      : folder_(fs::temp_directory_path() /
                concat("argosy_restart_", ::getpid(), "_",
                       testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::create_directories(folder_);
  }
  ~RestartFolder() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  std::string refusal(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"--run-dir", folder_.string(), "--checkpoint-every=5"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    try {
      restartable_run_dir(arguments, 3);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }

  fs::path folder_;
};

TEST_F(RestartFolder, FactsAreReadFromOutside) {
  RunFacts facts = facts_of_run(folder_ / "none");
  EXPECT_EQ(facts.newest_step, 0);
  EXPECT_FALSE(facts.status_written);
  fs::create_directories(folder_ / "checkpoints/step_00000005");
  fs::create_directories(folder_ / "checkpoints/step_00000010");
  fs::create_directories(folder_ / "checkpoints/step_00000015.tmp-host-1-2");
  write("status.json", R"({"state": "failed", "exit_code": 1, "message": "not finite"})");
  facts = facts_of_run(folder_);
  EXPECT_EQ(facts.newest_step, 10);
  EXPECT_TRUE(facts.status_written);
  EXPECT_EQ(facts.exit_code, 1);
  EXPECT_EQ(facts.message, "not finite");
  write("status.json", R"({"state": "running", "exit_code": null, "message": ""})");
  EXPECT_FALSE(facts_of_run(folder_).exit_code);
  write("status.json", "{");
  EXPECT_FALSE(facts_of_run(folder_).exit_code);
}

TEST_F(RestartFolder, ArgumentsMustLetARestartGoOn) {
  EXPECT_EQ(restartable_run_dir({"--run-dir=runs/a", "--checkpoint-every", "100"}, 3), "runs/a");
  const std::string config = write("run.cfg", "run-dir = \"runs/b #2\"\ncheckpoint-every = 10\n");
  EXPECT_EQ(restartable_run_dir({"--config", config}, 3), "runs/b #2");
  EXPECT_EQ(restartable_run_dir({"--config", config, "--run-dir", "c"}, 3), "c");
  const auto refused = [](const std::vector<std::string>& arguments) {
    try {
      restartable_run_dir(arguments, 3);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refused({"--checkpoint-every", "5"}),
            "--max-restarts 3: a restart goes on from the checkpoints of a run folder, and the "
            "trainer's arguments name none; valid: --run-dir DIR behind --");
  const std::string nothing_saved =
      "--max-restarts 3: nothing would be saved before the last step, and a restart would begin "
      "anew; valid: --checkpoint-every STEPS behind --";
  EXPECT_EQ(refused({"--run-dir", "c"}), nothing_saved);
  EXPECT_EQ(refused({"--run-dir", "c", "--checkpoint-every=0"}), nothing_saved);
}

// Of the steps behind it nobody would know whose they are.
TEST_F(RestartFolder, AnOlderStepIsNotResumedBesideNewerOnes) {
  fs::create_directories(folder_ / "checkpoints/step_00000010");
  for (const char* resume : {"none", "auto", "10", "20"})
    EXPECT_EQ(refusal({"--resume", resume}), "") << resume;
  EXPECT_EQ(refusal({"--resume=5"}),
            concat("--resume 5: ", folder_.string(),
                   " holds a checkpoint of step 10, from which a restart would go on; valid with "
                   "--max-restarts 3: --resume auto, or without the newer checkpoints"));
}

TEST(Words, OptionsOfTheTrainer) {
  const std::vector<std::string> words = {"--lr", "1", "--resume", "5", "--data=a=b", "--resume=6"};
  EXPECT_EQ(trainer_option(words, "resume"), "5");
  EXPECT_EQ(trainer_option(words, "data"), "a=b");
  EXPECT_EQ(trainer_option(words, "dat"), std::nullopt);
  EXPECT_EQ(trainer_option({"--config", "/nonexistent"}, "lr"), std::nullopt);
  EXPECT_EQ(without_option(words, "resume"), (std::vector<std::string>{"--lr", "1", "--data=a=b"}));
}

}  // namespace
}  // namespace argosy
