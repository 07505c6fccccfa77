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

  void make_program(const std::string& name, const std::string& script) const {
    std::filesystem::permissions(write(name, "#!/bin/sh\n" + script + "\n"),
                                 std::filesystem::perms::owner_all);
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
  expect_user_error(slurm + "--image a", {"--image", "--scheduler kubernetes"});
  expect_user_error(slurm + "--ranks-per-node 0", {"--ranks-per-node"});
  expect_user_error(plan + " --ranks-per-node 4", {"--ranks-per-node", "--scheduler slurm"});
  expect_user_error(plan + " --sbatch a=b", {"--sbatch", "--scheduler slurm"});
  expect_user_error(plan + " --scheduler kubernetes", {"--ranks-per-node is missing"});
  const std::string kubernetes =
      plan + " --scheduler kubernetes --ranks-per-node 4 --threads-per-rank 1 ";
  expect_user_error(kubernetes, {"--image is missing"});
  expect_user_error(kubernetes + "--image a", {"--claim is missing"});
  expect_user_error(kubernetes + "--image a --claim b:/c --job-name D", {"--job-name: 'D'"});
  expect_user_error(kubernetes + "--hostfile hosts", {"--hostfile", "--scheduler mpirun"});
  expect_user_error(kubernetes + "--bind-to none", {"--bind-to", "--scheduler mpirun"});
  expect_user_error(plan + " --bind-to none", {"--bind-to none", "--threads-per-rank N"});
  expect_user_error(plan + " --bind-to socket", {"'socket'", "valid: auto, none"});
  expect_user_error(plan + " --scheduler pbs", {"'pbs'", "mpirun"});
  expect_user_error(plan + " --max-restarts 3", {"--max-restarts 3", "valid: --run-dir DIR"});
  expect_user_error(plan + " --dry-run --max-restarts 3 -- --run-dir a",
                    {"--max-restarts 3", "valid: --checkpoint-every STEPS"});
  expect_user_error(plan + " --max-restarts -1", {"--max-restarts"});
  expect_user_error(plan + " --max-restarts many", {"--max-restarts"});
  expect_user_error(plan + " --nodes 3", {"--nodes"});
  expect_user_error(plan + " --steps 3", {"--steps", "behind --"});
  expect_user_error(plan + " stray", {"'stray' belongs to no option", "behind --"});
  expect_user_error(plan + " --max-restart 3", {"meant --max-restarts?", "behind --"});
  expect_user_error(plan + " --dry-run -- --plan other.json", {"other.json", plan_path()});
}

TEST_F(LaunchTest, HelpNamesTheOptions) {
  const Outcome outcome = shell(kProgram + " --help");
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* option : {"--plan", "--hostfile", "--scheduler", "--dry-run", "--max-restarts",
                             "--ranks-per-node", "--bind-to", "--image", "--claim", "--job-name",
                             "--namespace", "--memory", "75 stopped by SIGUSR1"}) {
    EXPECT_NE(outcome.output.find(option), std::string::npos) << option;
  }
}

// A job without GPUs of a plan for GPUs is hardly meant, and nothing in it would fail.
TEST_F(LaunchTest, APlanForGpusWantsThem) {
  Plan plan = read_plan(plan_path());
  plan.cluster = "h200-8";
  plan.devices = PlannedDevices{.kind = Device::cuda, .per_node = 4};
  const std::string path = (folder_ / "gpus.json").string();
  write_plan(plan, path);
  const std::string start = kProgram + " --dry-run --threads-per-rank 1 --plan " + path;
  const std::string warning = concat("argosy-launch: warning: --plan ", path,
                                     " was made for GPUs (h200-8), the trainer's options have no "
                                     "--device cuda: ranks will use CPU cores\n");
  const std::string config = write("gpu.cfg", "device = cuda\n");
  for (const std::string scheduler : {"", " --bind-to none", " --scheduler slurm",
                                      " --scheduler kubernetes --image a:1 --claim runs:/runs"}) {
    const auto printed = [&](const std::string& more) {
      return shell(start + scheduler + " -- --run-dir /runs/a --steps 1 " + more).output;
    };
    SCOPED_TRACE(scheduler);
    EXPECT_TRUE(printed("").starts_with(warning)) << printed("");
    for (const std::string meant : {"--device cuda --share-gpus", "--device=cuda --share-gpus",
                                    "--device cpu", "--share-gpus --config "}) {
      const std::string text = printed(meant.ends_with(' ') ? meant + config : meant);
      EXPECT_EQ(text.find("warning"), std::string::npos) << meant << '\n' << text;
    }
  }
  // A file of options asks for GPUs as a command line does.
  const std::string slurm = start + " --scheduler slurm -- --config " + config;
  EXPECT_NE(shell(slurm).output.find("--gpus-per-node=4\n"), std::string::npos);
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

// With a stand-in for kubectl. What it gets is YAML, and its launcher's words are understood.
TEST_F(LaunchTest, AppliesTheManifest) {
  const std::string manifest = (folder_ / "manifest").string();
  make_program("kubectl", "echo \"$@\"\ncat > " + manifest + "\nexit 4");
  const std::string arguments = " --plan " + plan_path() +
                                " --scheduler kubernetes --ranks-per-node 4 --threads-per-rank 1 "
                                "--image a:1 --claim runs:/runs -- --run-dir /runs/a --steps 1 "
                                "--data '/runs/its \"data\": #1, \\.txt'";
  const Outcome outcome = shell("PATH=" + folder_.string() + ":$PATH " + kProgram + arguments);
  EXPECT_EQ(outcome.exit_code, 4) << outcome.output;
  EXPECT_EQ(outcome.output, "apply -f -\n");
  EXPECT_EQ(shell("cat " + manifest).output, shell(kProgram + " --dry-run" + arguments).output);
  if (shell("python3 -c 'import yaml'").exit_code != 0) GTEST_SKIP() << "no python3-yaml";
  const std::string script = write("read.py", R"(import json, shlex, sys, yaml
plan_map, job = yaml.safe_load_all(open(sys.argv[1]))
assert json.loads(plan_map["data"]["plan.json"]) == json.load(open(sys.argv[2])), "another plan"
words = job["spec"]["mpiReplicaSpecs"]["Launcher"]["template"]["spec"]["containers"][0]["args"]
assert words[words.index("--data") + 1] == '/runs/its "data": #1, \\.txt', words
words[words.index("--plan") + 1] = sys.argv[2]
words[words.index("--hostfile") + 1] = sys.argv[3]
print(shlex.join(words))
)");
  const std::string hosts = write("hosts", "argosy-worker-0.argosy.default.svc slots=4\n");
  const Outcome words =
      shell("python3 " + script + " " + manifest + " " + plan_path() + " " + hosts);
  ASSERT_EQ(words.exit_code, 0) << words.output;
  const Outcome dry =
      shell(kProgram + " --dry-run " + words.output.substr(0, words.output.size() - 1));
  EXPECT_EQ(dry.exit_code, 0) << dry.output;
  EXPECT_NE(dry.output.find("mpirun -np 4 --hostfile " + hosts + " --bind-to none -x "),
            std::string::npos)
      << dry.output;
}

// With a stand-in for mpirun, which has no ranks that begin: it is waited for, and starts as
// before.
TEST_F(LaunchTest, StartsAgainWhatHasNotBegunAsItWas) {
  make_program("argosy-train", "");
  make_program("mpirun", "echo \"$@\" >> " + (folder_ / "starts").string() + "\n[ $(wc -l < " +
                             (folder_ / "starts").string() + ") = 2 ]");
  const std::string launcher = (folder_ / "argosy-launch").string();
  std::filesystem::copy_file(kProgram, launcher);
  const std::string run_dir = (folder_ / "run").string();
  const Outcome outcome =
      shell("PATH=" + folder_.string() + ":$PATH " + launcher + " --plan " + plan_path() +
            " --max-restarts 1 -- --resume none --run-dir " + run_dir + " --checkpoint-every 5");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(outcome.output,
            "argosy-launch: attempt 1 failed with exit code 1; attempt 2 starts as the first "
            "(restart 1 of 1, in 5 s: no rank had begun)\n");
  const Outcome starts = shell("sort " + (folder_ / "starts").string() + " | uniq -c | wc -l");
  EXPECT_EQ(starts.output, "1\n") << shell("cat " + (folder_ / "starts").string()).output;
}

// With stand-ins: mpirun, which would add its own words, is not started for a mistake.
TEST_F(LaunchTest, TheTrainerIsAskedFirst) {
  const std::string launcher = (folder_ / "argosy-launch").string();
  std::filesystem::copy_file(kProgram, launcher);
  make_program("mpirun", "echo started");
  const std::string start =
      "PATH=" + folder_.string() + ":$PATH " + launcher + " --plan " + plan_path();
  const auto answers = [&](int code) {
    make_program("argosy-train", concat("echo \"$*\"; exit ", code));
  };
  const std::string asked = concat("--plan ", plan_path(), " --colour 3 --check-options\n");
  answers(kExitUserError);
  for (const std::string restarts : {"", " --max-restarts 2"}) {
    const std::string more = restarts.empty() ? "" : " --run-dir a --checkpoint-every 5";
    const Outcome refused = shell(start + restarts + " -- --colour 3" + more);
    EXPECT_EQ(refused.exit_code, kExitUserError);
    EXPECT_EQ(refused.output,
              concat("--plan ", plan_path(), " --colour 3", more, " --check-options\n"));
  }
  // What is no verdict (it does not even start here, say) stops nobody.
  for (const int code : {kExitDone, kExitFailure, 127}) {
    answers(code);
    EXPECT_EQ(shell(start + " -- --colour 3").output, asked + "started\n") << code;
  }
  // Ranks on other machines read the files of theirs.
  answers(kExitUserError);
  const std::string hosts = " --hostfile " + write("four", "localhost slots=4\n");
  EXPECT_EQ(shell(start + hosts + " -- --colour 3").output, "started\n");
}

TEST_F(LaunchTest, DryRunSaysWhatARestartWouldBe) {
  const Outcome outcome =
      shell(kProgram + " --dry-run --max-restarts 2 --plan " + plan_path() + " -- --run-dir " +
            (folder_ / "run").string() + " --checkpoint-every 5");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_TRUE(outcome.output.ends_with(
      " --checkpoint-every 5\n# where it fails: the same with --resume auto, at most 2 times "
      "without a new checkpoint\n"))
      << outcome.output;
}

TEST_F(LaunchTest, SaysWhatIsNotInstalled) {
  make_program("argosy-train", "");
  const std::string launcher = (folder_ / "argosy-launch").string();
  std::filesystem::copy_file(kProgram, launcher);
  const std::string command = "PATH=/nonexistent " + launcher + " --plan " + plan_path();
  for (const std::string& arguments :
       {std::string(" --max-restarts 2 -- --run-dir a --checkpoint-every 5"), std::string("")}) {
    const Outcome outcome = shell(command + arguments);
    EXPECT_EQ(outcome.exit_code, kExitFailure);
    EXPECT_EQ(outcome.output,
              "argosy-launch: cannot start mpirun: No such file or directory; is it installed "
              "(Debian: openmpi-bin) and in PATH?\n");
  }
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
