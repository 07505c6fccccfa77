// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-launch --max-restarts: a job that is killed, however often, is the job that was not; one
// that fails at the same place again and again ends; one that is stopped stays so.
#include <algorithm>
#include <fstream>
#include <sstream>

#include "planner/spec/check.h"
#include "planner/spec/json.h"
#include "tests/end_to_end/programs.h"

namespace argosy {
namespace {

// How many lines of stderr are the launcher's own.
int64_t lines_of_launcher(const ProgramResult& result) {
  int64_t lines = 0;
  std::istringstream text(result.err);
  for (std::string line; std::getline(text, line);) lines += line.starts_with("argosy-launch: ");
  return lines;
}

class Restart : public ProgramTest {
 protected:
  void make_two_rank_plan() const { make_plan("plan.json", "moe.json", 2, "dp=2,ep=2,tp=1,pp=1"); }

  std::string supervised(int max_restarts, int64_t steps, const std::string& more) const {
    return concat("argosy-launch --plan plan.json --max-restarts ", max_restarts,
                  " -- --data text.txt --run-dir run --steps ", steps, " ", more);
  }

  // A job without end in the background, as one that Ctrl-C reaches: what `meanwhile` does to it
  // never comes too late, however fast the machine. It knows $launcher, its_mpirun, a_rank,
  // `steps N` (waits for so many in metrics.jsonl), `attempt K N` (waits until attempt K has done N
  // steps more than it found).
  ProgramResult run_and(const std::string& meanwhile, int max_restarts,
                        const std::string& more) const {
    return shell(concat(
        "lines() { wc -l 2>/dev/null <run/metrics.jsonl || echo 0; }\n",
        "steps() { until [[ $(lines) -ge $1 ]]; do sleep 0.02; done; }\n",
        "attempt() { until grep -q \"; attempt $1 \" err; do sleep 0.02; done\n",
        "  steps $(($(lines) + $2)); }\n", "its_mpirun() { pgrep -P $launcher mpirun; }\n",
        "a_rank() { pgrep -P $(its_mpirun) -n argosy-train; }\n", "env --default-signal=INT ",
        supervised(max_restarts, 1000000, more), " &\nlauncher=$!\n", meanwhile,
        "\nSECONDS=0; wait $launcher; code=$?; echo \"took $SECONDS s\"; exit $code"));
  }

  // Every step of the job once, with the losses, norms and learning rates of a run that nobody
  // disturbed and that ends where the job was stopped.
  void expect_undisturbed(const std::string& more) const {
    const auto run = metrics("run");
    succeed(launch("plan.json", "calm", static_cast<int64_t>(run.size()), more));
    const auto calm = metrics("calm");
    ASSERT_EQ(run.size(), calm.size());
    for (size_t i = 0; i < run.size(); ++i) {
      ASSERT_EQ(run[i].step, static_cast<int64_t>(i) + 1);
      ASSERT_EQ(run[i].loss, calm[i].loss) << "step " << i + 1;
      ASSERT_EQ(run[i].grad_norm, calm[i].grad_norm) << "step " << i + 1;
      ASSERT_EQ(run[i].lr, calm[i].lr) << "step " << i + 1;
    }
    const ProgramResult diff = succeed("argosy-checkpoint diff calm run");
    EXPECT_TRUE(contains(diff.out, " equal to the bit, 0 not")) << diff.out;
  }

  int64_t seconds_of_end(const ProgramResult& result) const {
    const size_t took = result.out.find("took ");
    return took == std::string::npos ? -1 : std::stoll(result.out.substr(took + 5));
  }
};

// More deaths than restarts: each came after a new checkpoint.
TEST_F(Restart, AJobWhoseRanksAreKilledIsTheJobWhoseRanksAreNot) {
  make_two_rank_plan();
  const std::string options = "--checkpoint-every 5 --warmup 60";
  const ProgramResult result = run_and(
      "steps 12; kill -KILL $(a_rank)\n"
      "attempt 2 12; kill -KILL $(a_rank)\n"
      "attempt 3 12; kill -SEGV $(a_rank)\n"
      "attempt 4 12; kill -TERM $launcher",
      1, options);
  EXPECT_EQ(result.exit_code, kExitRequeue) << result.out << result.err;
  EXPECT_EQ(lines_of_launcher(result), 3) << result.err;
  for (const char* line :
       {"argosy-launch: attempt 1 was killed by SIGKILL; attempt 2 goes on from step ",
        "argosy-launch: attempt 2 was killed by SIGKILL; attempt 3 goes on from step ",
        "argosy-launch: attempt 3 was killed by SIGSEGV; attempt 4 goes on from step ",
        " (restart 1 of 1)\n"})
    EXPECT_TRUE(contains(result.err, line)) << line << " in " << result.err;
  expect_undisturbed(options);
}

TEST_F(Restart, WithoutACheckpointItBeginsAtTheFirstStep) {
  make_two_rank_plan();
  const std::string options = "--checkpoint-every 1000000";
  const ProgramResult result =
      run_and("steps 10; kill -KILL $(a_rank); attempt 2 1; kill -TERM $launcher", 1, options);
  EXPECT_EQ(result.exit_code, kExitRequeue) << result.out << result.err;
  EXPECT_TRUE(contains(result.err, "attempt 2 begins at step 1: there is no checkpoint yet"))
      << result.err;
  expect_undisturbed(options);
}

// They outlive it by a second, and one that is stopped does not go by itself.
TEST_F(Restart, RanksOfAnMpirunThatIsKilledAreGoneBeforeTheNext) {
  make_two_rank_plan();
  const std::string options = "--checkpoint-every 5";
  const ProgramResult result = run_and(
      "steps 10; rank=$(a_rank); kill -KILL $(its_mpirun); kill -STOP $rank\n"
      "attempt 2 1; kill -KILL $rank 2>/dev/null && echo survivor; kill -TERM $launcher",
      1, options);
  EXPECT_EQ(result.exit_code, kExitRequeue) << result.out << result.err;
  EXPECT_TRUE(contains(result.err, "attempt 1 was killed by SIGKILL")) << result.err;
  EXPECT_FALSE(contains(result.out, "survivor")) << result.out;
  expect_undisturbed(options);
}

// The first mpirun dies before it has started anything; the second does its work.
TEST_F(Restart, TheLauncherEndsWhenItsJobIsDone) {
  make_two_rank_plan();
  std::filesystem::create_directories(path("bin"));
  write("bin/mpirun",
        "#!/bin/bash\n"
        "[[ -e died ]] || { touch died; kill -KILL $$; }\n"
        "PATH=${PATH#*:} exec mpirun \"$@\"\n");
  const std::string options = "--checkpoint-every 2 --lr-schedule cosine --warmup 2";
  const ProgramResult result =
      shell("chmod +x bin/mpirun; PATH=$PWD/bin:$PATH " + supervised(1, 5, options));
  EXPECT_EQ(result.exit_code, kExitDone) << result.out << result.err;
  EXPECT_EQ(lines_of_launcher(result), 1) << result.err;
  EXPECT_TRUE(contains(result.err, "attempt 1 was killed by SIGKILL; attempt 2 ")) << result.err;
  EXPECT_EQ(status("run", "state"), "\"done\"");
  EXPECT_EQ(metrics("run").size(), 5U);
  expect_undisturbed(options);
}

TEST_F(Restart, AJobThatFailsAtTheSameStepAgainAndAgainEnds) {
  make_two_rank_plan();
  const ProgramResult result = shell(supervised(2, 20, "--lr 1e30 --clip 0 --checkpoint-every 1"));
  EXPECT_EQ(result.exit_code, kExitFailure) << result.out << result.err;
  EXPECT_EQ(lines_of_launcher(result), 3) << result.err;
  EXPECT_TRUE(contains(result.err, "attempt 2 goes on from step 1 (restart 1 of 2)"));
  EXPECT_TRUE(contains(result.err, "attempt 3 goes on from step 1 (restart 2 of 2)"));
  EXPECT_TRUE(contains(result.err, "argosy-launch: attempt 3 failed: ")) << result.err;
  EXPECT_TRUE(contains(result.err, "not finite")) << result.err;
  EXPECT_TRUE(contains(result.err, "2 restarts brought no checkpoint after step 1"));
  EXPECT_EQ(status("run", "state"), "\"failed\"");
}

TEST_F(Restart, MistakesAreNotRepeated) {
  make_two_rank_plan();
  for (const char* mistake :
       {"--data none.txt", "--data text.txt --init none", "--data text.txt --lr-schedule steep"}) {
    const ProgramResult result =
        shell(concat("argosy-launch --plan plan.json --max-restarts 3 -- --run-dir run ",
                     "--checkpoint-every 1 --steps 5 ", mistake));
    EXPECT_EQ(result.exit_code, kExitUserError) << mistake << result.out << result.err;
    EXPECT_EQ(lines_of_launcher(result), 0) << result.err;
  }
}

TEST_F(Restart, WhoStopsTheLauncherStopsTheJob) {
  make_two_rank_plan();
  for (const char* signal : {"USR1", "TERM", "INT", "HUP"}) {
    SCOPED_TRACE(signal);
    const ProgramResult result = run_and(concat("steps 3; kill -", signal, " $launcher"), 3,
                                         "--checkpoint-every 1000000 --resume auto");
    EXPECT_EQ(result.exit_code, kExitRequeue) << result.out << result.err;
    EXPECT_EQ(lines_of_launcher(result), 0) << result.err;
    EXPECT_EQ(status("run", "state"), "\"requeue\"");
    EXPECT_EQ(std::to_string(metrics("run").back().step), status("run", "step"));
    std::filesystem::remove_all(path("run"));
  }
}

// A rank that hangs cannot save.
TEST_F(Restart, WhoInsistsEndsTheJobAtOnce) {
  make_two_rank_plan();
  const ProgramResult result = run_and(
      "steps 3; kill -STOP $(a_rank); kill -TERM $launcher; sleep 0.3; kill -TERM $launcher", 3,
      "--checkpoint-every 1000000");
  EXPECT_NE(result.exit_code, kExitDone);
  EXPECT_NE(result.exit_code, 124) << "it did not end by itself";
  EXPECT_EQ(lines_of_launcher(result), 0) << result.err;
  EXPECT_LT(seconds_of_end(result), 15);
}

// As from a node that is to go: not the launcher is asked to stop, its job is.
TEST_F(Restart, AJobThatSavedByItselfGoesOn) {
  make_two_rank_plan();
  const std::string options = "--checkpoint-every 1000000 --warmup 60";
  const ProgramResult result =
      run_and("steps 10; kill -USR1 $(a_rank); attempt 2 1; kill -TERM $launcher", 1, options);
  EXPECT_EQ(result.exit_code, kExitRequeue) << result.out << result.err;
  EXPECT_EQ(lines_of_launcher(result), 1) << result.err;
  EXPECT_TRUE(contains(result.err,
                       "attempt 1 was stopped by a signal and saved; attempt 2 goes on "
                       "from step "))
      << result.err;
  expect_undisturbed(options);
}

TEST_F(Restart, ALauncherThatIsKilledTakesItsJobAlong) {
  make_two_rank_plan();
  const ProgramResult result = run_and(
      "steps 3; job=$(its_mpirun); kill -KILL $launcher\n"
      "for i in {1..150}; do kill -0 $job 2>/dev/null || break; sleep 0.1; done\n"
      "kill -0 $job 2>/dev/null && echo survivor",
      3, "--checkpoint-every 1000000");
  EXPECT_FALSE(contains(result.out, "survivor")) << result.out;
}

}  // namespace
}  // namespace argosy
