// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a run leaves behind and how it ends: done, asked to stop, killed, failed; and what a
// terminal or a pipe sees of it.
#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

namespace fs = std::filesystem;

class Ending : public ProgramTest {
 protected:
  void make_two_rank_plan() const { make_plan("plan.json", "moe.json", 2, "dp=2,ep=2,tp=1,pp=1"); }

  // A job without end; once it has done a few steps, `action` with $pid (mpirun), then its end.
  // Prints the seconds from one to the other.
  ProgramResult interrupt(const std::string& action, const std::string& options = "") const {
    return shell(
        launch("plan.json", "run", 1000000, options) +
        "& pid=$!\n"
        "until [[ $(wc -l 2>/dev/null <run/metrics.jsonl) -ge 3 ]]; do sleep 0.05; done\n" +
        action +
        "\nSECONDS=0\n"
        "wait $pid; code=$?\n"
        "echo \"took $SECONDS s\"\n"
        "exit $code");
  }
};

TEST_F(Ending, DoneLeavesAWholeRunFolder) {
  make_two_rank_plan();
  const ProgramResult result = succeed(concat(
      "cp text.txt 'text #2.txt'\n", "argosy-launch --plan plan.json -- ",
      "--data 'text #2.txt' --run-dir run --steps 3 --check-replicas 1 ", "--check-collectives 1"));
  for (const char* file : {"plan.json", "run.cfg", "metrics.jsonl", "events.jsonl", "status.json",
                           "report.html", "trace.json"}) {
    EXPECT_TRUE(fs::exists(path(concat("run/", file)))) << file;
  }
  std::istringstream lines(read("run/metrics.jsonl"));
  int64_t step = 0;
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line);
    for (const char* key : {"step", "loss", "grad_norm", "lr", "step_s", "tokens", "tokens_per_s",
                            "mfu", "mfu_palm", "hfu", "memory_bytes"}) {
      EXPECT_TRUE(json.contains(key)) << key << " in " << line;
    }
    EXPECT_EQ(json["step"], ++step);
    EXPECT_EQ(json["tokens"], 8 * 16);
  }
  EXPECT_EQ(step, 3);
  EXPECT_EQ(status("run", "state"), "\"done\"");
  EXPECT_EQ(status("run", "exit_code"), "0");
  EXPECT_EQ(status("run", "step"), "3");
  EXPECT_NE(status("run", "ended"), "null");
  EXPECT_TRUE(contains(result.out, "step 3/3 | loss ")) << result.out;
  std::istringstream printed(result.out);
  for (std::string line; std::getline(printed, line);) {
    EXPECT_TRUE(line.size() <= 100 || line.starts_with("step ")) << line;
  }
  const std::string options = read("run/run.cfg");
  for (const char* line : {"lr = 0.0003\n", "beta2 = 0.95\n", "eps = 1e-08\n", "clip = 1\n"}) {
    EXPECT_TRUE(contains(options, line)) << line << " in " << options;
  }
  // run.cfg alone repeats the run, a '#' in its values included.
  succeed("sed s/^run-dir.*/run-dir=repeated/ run/run.cfg >again.cfg");
  succeed("argosy-launch --plan plan.json -- --config again.cfg");
  EXPECT_EQ(metrics("repeated").back().loss, metrics("run").back().loss);
}

TEST_F(Ending, KeepsTheNewestCheckpoints) {
  make_two_rank_plan();
  const std::string keep = "--checkpoint-every 1 --keep-checkpoints 2 ";
  succeed(launch("plan.json", "base", 3, "--checkpoint-every 1"));
  succeed(launch("plan.json", "run", 5, keep + "--init base/checkpoints/step_00000001"));
  const auto steps = [&](const std::string& run) {
    return succeed("ls " + run + "/checkpoints | tr '\\n' ' '").out;
  };
  EXPECT_EQ(steps("run"), "step_00000004 step_00000005 ");
  EXPECT_EQ(steps("base"), "step_00000001 step_00000002 step_00000003 ") << "another run's";
  // One that is not whole stays and does not count.
  fs::resize_file(path("run/checkpoints/step_00000004/shard_00001.h5"), 4096);
  succeed(launch("plan.json", "run", 7, keep + "--resume auto"));
  EXPECT_EQ(steps("run"), "step_00000004 step_00000006 step_00000007 ");
  succeed("argosy-checkpoint verify run/checkpoints/step_00000006");
}

TEST_F(Ending, PipesGetPlainLinesAndTerminalsAProgressLine) {
  make_two_rank_plan();
  const std::string piped = succeed("TERM=xterm " + launch("plan.json", "run", 2)).out;
  EXPECT_EQ(piped.find('\033'), std::string::npos) << piped;
  EXPECT_EQ(piped.find('\r'), std::string::npos) << piped;
  if (shell("script --version").exit_code != 0) GTEST_SKIP() << "no script(1) to make a terminal";
  const std::string terminal =
      succeed(concat("TERM=xterm script --quiet --return --command '", "stty columns 30; ",
                     launch("plan.json", "tty", 2), "' /dev/null"))
          .out;
  EXPECT_TRUE(contains(terminal, "\r\033[K[##########..........]  5")) << terminal;
  EXPECT_FALSE(contains(terminal, "50% step 1/2")) << "wider than the terminal: " << terminal;
}

TEST_F(Ending, StopSignalSavesAndAsksToBeRequeued) {
  make_two_rank_plan();
  const ProgramResult result = interrupt("kill -USR1 $pid");
  EXPECT_EQ(result.exit_code, kExitRequeue) << result.out << result.err;
  EXPECT_EQ(status("run", "state"), "\"requeue\"");
  EXPECT_EQ(status("run", "exit_code"), "75");
  const int64_t step = std::stoll(status("run", "step"));
  ASSERT_GE(step, 3);
  EXPECT_EQ(metrics("run").back().step, step);

  const ProgramResult resumed = succeed(launch("plan.json", "run", step + 2, "--resume auto"));
  EXPECT_TRUE(contains(resumed.out, concat("step ", step + 1, "/"))) << resumed.out;
  EXPECT_FALSE(contains(resumed.out, concat("step ", step, "/"))) << resumed.out;
  EXPECT_EQ(metrics("run").size(), static_cast<size_t>(step) + 2);
  EXPECT_EQ(status("run", "state"), "\"done\"");
}

TEST_F(Ending, StopSignalSavesWhateverCheckpointEverySays) {
  make_two_rank_plan();
  const ProgramResult result = interrupt("kill -USR1 $pid", "--checkpoint-every 0");
  EXPECT_EQ(result.exit_code, kExitRequeue) << result.out << result.err;
  EXPECT_EQ(status("run", "state"), "\"requeue\"");
  const ProgramResult inspected = succeed("argosy-checkpoint verify run");
  EXPECT_TRUE(contains(inspected.out, "ok: ")) << inspected.out;
}

TEST_F(Ending, DeathOfARankEndsTheJob) {
  make_two_rank_plan();
  const ProgramResult result =
      interrupt("pgrep -P $pid argosy-train >ranks; kill -KILL $(tail -n 1 ranks)");
  EXPECT_NE(result.exit_code, 0);
  EXPECT_NE(result.exit_code, 124) << "it did not end by itself";
  EXPECT_EQ(status("run", "state"), "\"running\"") << "nobody was left to write";
  EXPECT_EQ(status("run", "pid") + "\n", read("ranks").substr(0, read("ranks").find('\n') + 1))
      << "who looks for rank 0 finds it gone";
  const size_t took = result.out.find("took ");
  ASSERT_NE(took, std::string::npos) << result.out;
  EXPECT_LT(std::stoi(result.out.substr(took + 5)), 15);
}

TEST_F(Ending, AHangingJobIsEndedAndSaysWhere) {
  make_two_rank_plan();
  const ProgramResult result =
      interrupt("kill -STOP $(pgrep -P $pid -n argosy-train)", "--watchdog 2 --checkpoint-every 0");
  EXPECT_EQ(result.exit_code, kExitFailure) << result.out << result.err;
  EXPECT_TRUE(contains(result.err, "nothing moves: rank 0 has been in ")) << result.err;
  EXPECT_TRUE(contains(result.err, ", waiting in ")) << result.err;
  EXPECT_EQ(status("run", "state"), "\"failed\"");
  EXPECT_EQ(status("run", "exit_code"), "1");
  EXPECT_TRUE(contains(status("run", "message"), "nothing moves")) << status("run", "message");
  EXPECT_EQ(status("run", "step"), std::to_string(metrics("run").back().step));
}

// Its first update makes weights whose products overflow in fp32, but not in fp64.
constexpr const char* kOverflows = "--lr 1e10 --clip 0 ";

TEST_F(Ending, TheLastGoodStepIsSavedOnEveryLayout) {
  const struct {
    const char *model, *fix;
    int ranks;
  } layouts[] = {{"dense.json", "tp=1", 1},
                 {"moe.json", "dp=2,ep=2,tp=1,pp=1,zero=1", 2},
                 {"dense.json", "tp=1,pp=2,dp=2,zero=3,micro_batch=2", 4}};
  for (const auto& [model, fix, ranks] : layouts) {
    SCOPED_TRACE(fix);
    make_plan("plan.json", model, ranks, fix);
    // Saved after every step in any case.
    shell(launch("plan.json", "each", 9, concat(kOverflows, "--checkpoint-every 1")));
    const ProgramResult result = shell(launch("plan.json", "run", 9, kOverflows));
    EXPECT_EQ(result.exit_code, kExitFailure) << result.out;
    const std::string goes_on = "the last step is saved: --resume auto goes on from step 1";
    EXPECT_TRUE(contains(result.err, goes_on)) << result.err;
    EXPECT_TRUE(contains(status("run", "message"), goes_on));
    EXPECT_EQ(status("run", "step"), "1");
    EXPECT_TRUE(contains(result.out, "saved run/checkpoints/step_00000001 in ")) << result.out;
    succeed("argosy-checkpoint verify run && argosy-checkpoint diff run each");
    const std::string in_fp64 = "--resume auto --precision fp64 --lr 1e-3";
    succeed(launch("plan.json", "run", 3, in_fp64));
    EXPECT_EQ(metrics("run").size(), 3U);
    for (const char* run : {"run", "each"}) fs::remove_all(path(run));
  }
}

// What is there is neither replaced nor removed, whatever else is asked for.
TEST_F(Ending, ALastGoodStepCostsNoOtherCheckpoint) {
  make_two_rank_plan();
  const auto steps = [&] { return succeed("ls run/checkpoints | tr '\n' ' '").out; };
  succeed(launch("plan.json", "run", 3, "--checkpoint-every 1"));
  const std::string hashes = succeed("argosy-checkpoint hash run").out;
  const auto fail_from = [&](int step, const std::string& more) {
    const ProgramResult result = shell(launch(
        "plan.json", "run", 9, concat(kOverflows, more, " --resume ", std::to_string(step))));
    EXPECT_EQ(result.exit_code, kExitFailure) << result.out;
    return result.err;
  };
  const std::string kept = fail_from(2, "");
  EXPECT_TRUE(contains(kept, "step_00000003 of an earlier attempt is kept")) << kept;
  EXPECT_TRUE(succeed("argosy-checkpoint hash run").out == hashes);
  const std::string saved = fail_from(3, "--keep-checkpoints 1");
  EXPECT_TRUE(contains(saved, "the last step is saved: --resume auto goes on from step 4"));
  EXPECT_EQ(steps(), "step_00000001 step_00000002 step_00000003 step_00000004 ");
  const std::string again = fail_from(4, "");
  EXPECT_TRUE(contains(again, "no step was done after the checkpoint of step 4")) << again;
  EXPECT_EQ(steps(), "step_00000001 step_00000002 step_00000003 step_00000004 ");
}

TEST_F(Ending, WhatIsNotGoodIsNotSaved) {
  make_two_rank_plan();
  ProgramResult result = shell(launch("plan.json", "run", 9, "--lr 1e39 --clip 0"));
  EXPECT_EQ(result.exit_code, kExitFailure) << result.out;
  EXPECT_TRUE(contains(result.err, "step 1 left weights that are not finite: not saved"));
  EXPECT_FALSE(fs::exists(path("run/checkpoints")));
  result = shell(launch("plan.json", "never", 9, concat(kOverflows, "--checkpoint-every 0")));
  EXPECT_EQ(result.exit_code, kExitFailure) << result.out;
  EXPECT_TRUE(contains(result.err, "nothing is saved: --checkpoint-every 0")) << result.err;
  EXPECT_FALSE(fs::exists(path("never/checkpoints")));
}

TEST_F(Ending, FailureIsToldOnceAndWritten) {
  make_two_rank_plan();
  const ProgramResult result =
      shell(launch("plan.json", "run", 20, "--lr 1e30 --clip 0 --checkpoint-every 0"));
  EXPECT_EQ(result.exit_code, kExitFailure) << result.out;
  EXPECT_TRUE(contains(result.err, "not finite")) << result.err;
  EXPECT_FALSE(contains(result.err, "-nan")) << result.err;
  EXPECT_EQ(result.err.find("argosy-train: "), result.err.rfind("argosy-train: ")) << result.err;
  EXPECT_EQ(status("run", "state"), "\"failed\"");
  EXPECT_EQ(status("run", "exit_code"), "1");
  EXPECT_TRUE(contains(status("run", "message"), "not finite"));
}

}  // namespace
}  // namespace argosy
