// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-launch as a user runs it: what it prints and how it ends.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "planner/spec/check.h"
#include "planner/spec/cores.h"
#include "planner/spec/host.h"
#include "planner/spec/plan.h"

namespace argosy {
namespace {

const std::string kProgram = std::string(ARGOSY_BINARY_DIR) + "/argosy-launch";

struct Outcome {
  int exit_code = -1;
  std::string output;  // stdout and stderr
};

Outcome shell(const std::string& command) {
  Outcome outcome;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  char buffer[4096];
  for (size_t size = 0; (size = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
    outcome.output.append(buffer, size);
  }
  const int status = ::pclose(pipe);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

class LaunchTest : public testing::Test {
 protected:
  LaunchTest()
      : folder_(std::filesystem::temp_directory_path() /
                concat("argosy_launch_", ::getpid(), "_",
                       testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(folder_);
    Plan plan;
    plan.model = read_model(std::string(ARGOSY_SOURCE_DIR) + "/configs/models/demo-moe.json").model;
    plan.cluster = "local-cpu";
    plan.mesh.pp = 2;
    plan.mesh.dp = 2;
    plan.global_batch = 8;
    plan.seq_len = 128;
    plan.precision = Precision::fp32;
    plan.layers_per_stage = default_layers_per_stage(plan.model.num_layers, 2);
    plan.recompute.assign(static_cast<size_t>(plan.model.num_layers), Recompute::none);
    write_plan(plan, plan_path());
  }
  ~LaunchTest() override { std::filesystem::remove_all(folder_); }

  std::string plan_path() const { return (folder_ / "plan.json").string(); }
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name) << content;
    return (folder_ / name).string();
  }

  // Ends with exit code 2 and one line that holds `parts`.
  void expect_user_error(const std::string& arguments, const std::vector<std::string>& parts) {
    SCOPED_TRACE(arguments);
    const Outcome outcome = shell(kProgram + " " + arguments);
    EXPECT_EQ(outcome.exit_code, kExitUserError);
    EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1) << outcome.output;
    for (const std::string& part : parts) {
      EXPECT_NE(outcome.output.find(part), std::string::npos) << part << " in " << outcome.output;
    }
  }

  std::filesystem::path folder_;
};

TEST_F(LaunchTest, DryRunPrintsTheCommandAlone) {
  const Outcome outcome =
      shell(kProgram + " --dry-run --plan " + plan_path() + " -- --data 'my text.txt' --steps 3");
  EXPECT_EQ(outcome.exit_code, 0);
  const std::string end = concat(ARGOSY_BINARY_DIR, "/argosy-train --plan ", plan_path(),
                                 " --data 'my text.txt' --steps 3\n");
  EXPECT_TRUE(outcome.output.ends_with(end)) << outcome.output;
  EXPECT_NE(outcome.output.find("mpirun -np 4 "), std::string::npos) << outcome.output;
  const bool shares_cores = usable_cores().count() < 4;
  EXPECT_EQ(outcome.output.find("--oversubscribe --bind-to none") != std::string::npos,
            shares_cores);
}

TEST_F(LaunchTest, HostfileMustHoldTheRanks) {
  const std::string few = write("few", "localhost slots=3\n");
  expect_user_error("--dry-run --plan " + plan_path() + " --hostfile " + few,
                    {few, "3 slots", "4 ranks", plan_path()});
  const std::string enough = write("enough", "localhost slots=4\n");
  const Outcome outcome =
      shell(kProgram + " --dry-run --plan " + plan_path() + " --hostfile " + enough);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.output.find("--hostfile " + enough), std::string::npos) << outcome.output;
}

// dp = 2, pp = 2: with whole pipelines on a host, ranks 0 and 2 are on the first.
TEST_F(LaunchTest, TheOrderOfAPlanDecidesTheHosts) {
  Plan plan = read_plan(plan_path());
  plan.mesh.order = RankOrder::tp_cp_pp_dp;
  const std::string ordered = (folder_ / "ordered.json").string();
  write_plan(plan, ordered);
  const std::string hosts = write("two", "one slots=2\ntwo slots=2\n");
  const Outcome outcome = shell(kProgram + " --dry-run --plan " + ordered + " --hostfile " + hosts);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find(" --host one,two,one,two --map-by seq "), std::string::npos)
      << outcome.output;
}

TEST_F(LaunchTest, MistakesOfTheUser) {
  const std::string plan = "--plan " + plan_path();
  expect_user_error("", {"--plan is missing"});
  expect_user_error("--plan " + (folder_ / "none.json").string(), {"none.json"});
  expect_user_error("--plan " + write("bad.json", "{\"format\": "), {"bad.json", "not valid JSON"});
  expect_user_error(plan + " --hostfile /nonexistent/hosts", {"/nonexistent/hosts"});
  expect_user_error(plan + " --scheduler slurm", {"--ranks-per-node is missing"});
  const std::string slurm = plan + " --scheduler slurm --ranks-per-node 4 --threads-per-rank 1 ";
  expect_user_error(slurm + "--sbatch --time=1", {"--sbatch"});
  expect_user_error(slurm + "--sbatch -t1", {"--sbatch", "valid: an option without dashes"});
  expect_user_error(slurm + "--hostfile hosts", {"--hostfile", "nodelist="});
  expect_user_error(slurm + "--ranks-per-node 0", {"--ranks-per-node"});
  expect_user_error(plan + " --ranks-per-node 4", {"--ranks-per-node", "--scheduler slurm"});
  expect_user_error(plan + " --scheduler kubernetes", {"kubernetes", "not supported yet"});
  expect_user_error(plan + " --scheduler pbs", {"'pbs'", "mpirun"});
  expect_user_error(plan + " --max-restarts 3", {"--max-restarts 3", "not supported yet"});
  expect_user_error(plan + " --max-restarts -1", {"--max-restarts"});
  expect_user_error(plan + " --max-restarts many", {"--max-restarts"});
  expect_user_error(plan + " --nodes 3", {"--nodes"});
  expect_user_error(plan + " --steps 3", {"--steps", "behind --"});
  expect_user_error(plan + " stray", {"behind --"});
  expect_user_error(plan + " --dry-run -- --plan other.json", {"other.json", plan_path()});
}

TEST_F(LaunchTest, HelpNamesTheOptions) {
  const Outcome outcome = shell(kProgram + " --help");
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* option :
       {"--plan", "--hostfile", "--scheduler", "--dry-run", "--max-restarts", "--ranks-per-node"}) {
    EXPECT_NE(outcome.output.find(option), std::string::npos) << option;
  }
}

// With a stand-in for sbatch: it reads the very script that --dry-run prints.
TEST_F(LaunchTest, SubmitsTheScript) {
  const std::string script = (folder_ / "script").string();
  const std::string sbatch = write("sbatch", "#!/bin/sh\ncat > " + script + "\nexit 3\n");
  std::filesystem::permissions(sbatch, std::filesystem::perms::owner_all);
  const std::string arguments = " --plan " + plan_path() +
                                " --scheduler slurm --ranks-per-node 4 --threads-per-rank 1 "
                                "--sbatch partition=cpu -- --steps 1";
  const Outcome dry = shell(kProgram + " --dry-run" + arguments);
  EXPECT_EQ(dry.exit_code, 0) << dry.output;
  EXPECT_NE(dry.output.find("#SBATCH --partition=cpu\n"), std::string::npos) << dry.output;
  const std::string launcher = (folder_ / "argosy-launch").string();
  std::filesystem::copy_file(kProgram, launcher);
  std::filesystem::permissions(write("argosy-train", "#!/bin/sh\n"),
                               std::filesystem::perms::owner_all);
  const Outcome outcome = shell("PATH=" + folder_.string() + ":$PATH " + launcher + arguments);
  EXPECT_EQ(outcome.exit_code, 3) << outcome.output;
  std::ifstream submitted(script);
  const std::string text{std::istreambuf_iterator<char>(submitted), {}};
  EXPECT_EQ(text.substr(0, text.find("srun")), dry.output.substr(0, dry.output.find("srun")));
  EXPECT_NE(text.find(" --steps 1 --resume \"$resume\"\n"), std::string::npos) << text;
}

// With stand-ins for mpirun and argosy-train: what is started sees no job around it, and its exit
// code is the launcher's.
TEST_F(LaunchTest, RunsMpirunAndPassesItsExitCode) {
  const std::string mpirun = write(
      "mpirun", "#!/bin/sh\nenv > " + (folder_ / "env").string() + "\necho \"$@\"\nexit 75\n");
  std::filesystem::permissions(mpirun, std::filesystem::perms::owner_all);
  const std::string launcher = (folder_ / "argosy-launch").string();
  std::filesystem::copy_file(kProgram, launcher);
  const std::string command = "PATH=" + folder_.string() +
                              ":$PATH OMPI_COMM_WORLD_RANK=3 PMIX_RANK=3 OMPI_MCA_btl=self " +
                              launcher + " --plan " + plan_path() + " -- --steps 1";
  Outcome outcome = shell(command);  // no trainer beside it
  EXPECT_EQ(outcome.exit_code, kExitFailure);
  EXPECT_NE(outcome.output.find("argosy-train"), std::string::npos) << outcome.output;

  std::filesystem::permissions(write("argosy-train", "#!/bin/sh\n"),
                               std::filesystem::perms::owner_all);
  outcome = shell(command);
  EXPECT_EQ(outcome.exit_code, kExitRequeue) << outcome.output;
  EXPECT_TRUE(outcome.output.ends_with("--steps 1\n")) << outcome.output;
  std::ifstream in(folder_ / "env");
  const std::string environment{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(environment.find("OMPI_COMM_WORLD_RANK"), std::string::npos);
  EXPECT_EQ(environment.find("PMIX_RANK"), std::string::npos);
  EXPECT_NE(environment.find("OMPI_MCA_btl=self"), std::string::npos);
  EXPECT_EQ(environment.find("OMPI_ALLOW_RUN_AS_ROOT=1") != std::string::npos, is_root());
}

}  // namespace
}  // namespace argosy
