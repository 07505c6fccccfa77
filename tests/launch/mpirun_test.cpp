// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/mpirun.h"

#include <gtest/gtest.h>

#include "planner/spec/check.h"
#include "planner/spec/host.h"
#include "tests/support/texts.h"

namespace argosy {
namespace {

constexpr const char* kOneHost = "OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader,tcp ";

MpirunJob job_of(int64_t num_ranks, int cores) {
  MpirunJob job;
  job.num_ranks = num_ranks;
  for (int core = 0; core < cores; ++core) job.cores.list.push_back({{core}, false});
  job.plan = "plan.json";
  job.trainer = "/opt/argosy-train";
  job.trainer_arguments = {"--steps", "5"};
  return job;
}

std::string line_of(const MpirunJob& job) {
  return to_shell(mpirun_command(job));
}

std::string config_error(const MpirunJob& job) {
  return config_error_of([&] { mpirun_command(job); });
}

TEST(Mpirun, RanksWithCoresOfTheirOwnAreBound) {
  EXPECT_EQ(line_of(job_of(2, 2)),
            std::string(kOneHost) +
                "mpirun -np 2 --map-by slot:PE=1 --bind-to core -x OMP_NUM_THREADS=1 "
                "/opt/argosy-train --plan plan.json --steps 5");
  EXPECT_EQ(line_of(job_of(3, 8)),
            std::string(kOneHost) +
                "mpirun -np 3 --map-by slot:PE=2 --bind-to core -x OMP_NUM_THREADS=2 "
                "/opt/argosy-train --plan plan.json --steps 5");
}

TEST(Mpirun, ThreadsOfARankCanBeChosen) {
  MpirunJob job = job_of(2, 8);
  job.threads_per_rank = 3;
  EXPECT_NE(line_of(job).find(" --map-by slot:PE=3 --bind-to core -x OMP_NUM_THREADS=3 "),
            std::string::npos)
      << line_of(job);
  job.threads_per_rank = 5;
  EXPECT_EQ(
      config_error(job),
      "--threads-per-rank: 5 threads of 2 ranks need 10 cores, this machine has 8; valid: 1 to "
      "4");
}

// A launcher in a container has fewer cores than the hosts, or others.
TEST(Mpirun, CoresAreNotCountedWhereNothingIsBound) {
  MpirunJob job = job_of(4, 1);
  job.hostfile = "hosts";
  job.hosts = {{"a", 2}, {"b", 2}};
  job.threads_per_rank = 12;
  job.binds_ranks = false;
  EXPECT_EQ(line_of(job),
            "mpirun -np 4 --hostfile hosts --bind-to none -x OMP_NUM_THREADS=12 "
            "/opt/argosy-train --plan plan.json --steps 5");
  job.hosts.clear();
  job.hostfile.clear();
  EXPECT_NE(line_of(job).find(" -np 4 --oversubscribe --bind-to none -x OMP_NUM_THREADS=12 "),
            std::string::npos)
      << line_of(job);
  job.trainer_arguments = {"--device", "cuda"};
  job.gpus.emplace();
  for (int gpu = 0; gpu < 4; ++gpu) job.gpus->push_back({"", {0}});
  EXPECT_EQ(line_of(job).find("taskset"), std::string::npos) << line_of(job);
}

// mpirun -np 1 would bind to core 0, which belongs to somebody else.
TEST(Mpirun, AnAffinityMaskIsKept) {
  MpirunJob job = job_of(2, 0);
  job.cores.whole_machine = false;
  job.cores.list = {{{4, 12}, false}, {{5, 13}, false}, {{6, 14}, false}, {{7, 15}, false}};
  job.trainer_arguments = {};
  EXPECT_EQ(
      line_of(job),
      std::string(kOneHost) +
          "mpirun --bind-to none "
          "-np 1 -x OMP_NUM_THREADS=2 taskset -c 4,12,5,13 /opt/argosy-train --plan plan.json "
          ": "
          "-np 1 -x OMP_NUM_THREADS=2 taskset -c 6,14,7,15 /opt/argosy-train --plan plan.json");
  job.num_ranks = 5;  // more than cores: all share what the mask, which they inherit, leaves
  EXPECT_NE(line_of(job).find("-np 5 --oversubscribe --bind-to none"), std::string::npos);
}

TEST(Mpirun, SmallCoresAreLeftOutWhereLargeOnesAreEnough) {
  MpirunJob job = job_of(2, 4);
  for (int cpu = 4; cpu < 12; ++cpu) job.cores.list.push_back({{cpu}, true});
  EXPECT_NE(line_of(job).find("-x OMP_NUM_THREADS=2 taskset -c 2,3 "), std::string::npos)
      << line_of(job);
  job.num_ranks = 6;
  EXPECT_NE(line_of(job).find("--map-by slot:PE=2 "), std::string::npos) << line_of(job);
}

TEST(Mpirun, AQuotaOfTheControlGroupCounts) {
  MpirunJob job = job_of(2, 64);
  job.cores.quota = 4.5;
  EXPECT_NE(line_of(job).find("--map-by slot:PE=2 "), std::string::npos) << line_of(job);
  job.cores.quota = 0.5;
  EXPECT_NE(line_of(job).find("--oversubscribe"), std::string::npos) << line_of(job);
}

TEST(Mpirun, MoreRanksThanCoresShareThem) {
  EXPECT_EQ(line_of(job_of(4, 2)),
            std::string(kOneHost) +
                "mpirun -np 4 --oversubscribe --bind-to none -x OMP_NUM_THREADS=1 "
                "/opt/argosy-train --plan plan.json --steps 5");
}

TEST(Mpirun, HostsAreCountedPerHost) {
  MpirunJob job = job_of(8, 16);
  job.hostfile = "hosts";
  job.hosts = {{"a", 4}, {"b", 4}, {"c", 4}};
  EXPECT_EQ(line_of(job),
            "mpirun -np 8 --hostfile hosts --map-by slot:PE=4 --bind-to core -x OMP_NUM_THREADS=4 "
            "/opt/argosy-train --plan plan.json --steps 5");
}

// Two pipelines of two stages: rank 0 and its next stage, rank 2, on one host.
TEST(Mpirun, PipelinesOnAHost) {
  MpirunJob job = job_of(4, 2);
  job.hostfile = "hosts";
  job.hosts = {{"a", 2}, {"b", 2}};
  job.mesh.pp = job.mesh.dp = 2;
  job.mesh.order = RankOrder::tp_cp_pp_dp;
  EXPECT_EQ(line_of(job),
            "mpirun -np 4 --host a,b,a,b --map-by seq --bind-to core -x OMP_NUM_THREADS=1 "
            "/opt/argosy-train --plan plan.json --steps 5");
  job.cores = job_of(4, 8).cores;
  EXPECT_NE(line_of(job).find("--map-by seq --bind-to none -x OMP_NUM_THREADS=4"),
            std::string::npos);
  job.hosts = {{"a", 4}};  // all on one: as always
  EXPECT_NE(line_of(job).find("--hostfile hosts --map-by slot:PE=2"), std::string::npos);
}

TEST(Mpirun, AListOfHostsThatIsTooLong) {
  MpirunJob job = job_of(40000, 1);
  job.hostfile = "hosts";
  job.hosts = {{"first-host", 20000}, {"second-host", 20000}};
  job.mesh.pp = 2;
  job.mesh.dp = 20000;
  job.mesh.order = RankOrder::tp_cp_pp_dp;
  const std::string message = config_error(job);
  EXPECT_NE(message.find("tp-cp-pp-dp"), std::string::npos) << message;
  EXPECT_NE(message.find("40000 ranks"), std::string::npos) << message;
}

MpirunJob gpu_job(int64_t num_ranks, int cores, std::vector<Gpu> gpus) {
  MpirunJob job = job_of(num_ranks, cores);
  job.trainer_arguments = {"--device", "cuda"};
  job.gpus = std::move(gpus);
  return job;
}
constexpr const char* kGpuHost =
    "OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader,tcp CUDA_DEVICE_ORDER=PCI_BUS_ID ";

// Two nodes of four cores; the first three GPUs are at the second one.
TEST(Mpirun, RanksHaveTheCoresNearTheirGpus) {
  const Gpu far{"0000:01:00.0", {4, 5, 6, 7}}, near{"0000:81:00.0", {0, 1, 2, 3}};
  MpirunJob job = gpu_job(3, 8, {far, far, near});
  EXPECT_EQ(line_of(job), std::string(kGpuHost) +
                              "mpirun --bind-to none -np 1 -x OMP_NUM_THREADS=2 taskset -c 4,5 "
                              "/opt/argosy-train --plan plan.json --device cuda : "
                              "-np 1 -x OMP_NUM_THREADS=2 taskset -c 6,7 "
                              "/opt/argosy-train --plan plan.json --device cuda : "
                              "-np 1 -x OMP_NUM_THREADS=2 taskset -c 0,1 "
                              "/opt/argosy-train --plan plan.json --device cuda");
  job.threads_per_rank = 1;
  EXPECT_NE(line_of(job).find("OMP_NUM_THREADS=1 taskset -c 5 "), std::string::npos);
}

TEST(Mpirun, RanksOfGpusAreNotBoundWhereNobodyKnowsWhatIsNear) {
  const std::string unbound = std::string(kGpuHost) +
                              "mpirun -np 2 --oversubscribe --bind-to none -x OMP_NUM_THREADS=4 "
                              "/opt/argosy-train --plan plan.json --device cuda";
  EXPECT_EQ(line_of(gpu_job(2, 8, {{}, {}})), unbound);
  MpirunJob job = gpu_job(2, 8, {});
  job.gpus.reset();  // no driver here: the trainer will say
  EXPECT_EQ(line_of(job), unbound);
  // A node with fewer cores than ranks.
  const Gpu crowded{"0000:01:00.0", {0, 1}};
  EXPECT_NE(line_of(gpu_job(4, 8, {crowded, crowded, crowded, crowded})).find("--bind-to none -x"),
            std::string::npos);
}

TEST(Mpirun, MoreRanksThanGpus) {
  MpirunJob job = gpu_job(4, 8, {{}, {}});
  const std::string message = config_error(job);
  EXPECT_NE(message.find("4 ranks"), std::string::npos) << message;
  EXPECT_NE(message.find("shows 2"), std::string::npos) << message;
  EXPECT_NE(message.find("--share-gpus"), std::string::npos) << message;
  job.trainer_arguments = {"--device=cuda"};
  EXPECT_EQ(config_error(job), message);
  job.trainer_arguments = {"--device", "cuda", "--share-gpus"};
  EXPECT_NE(line_of(job).find("-np 4 "), std::string::npos);
  job.trainer_arguments = {"--device", "cpu"};  // GPUs are nobody's business
  EXPECT_EQ(line_of(job).find("CUDA"), std::string::npos);
}

TEST(Mpirun, GpusOfOtherHostsAreTheTrainersMatter) {
  MpirunJob job = gpu_job(8, 2, {});
  job.hostfile = "hosts";
  job.hosts = {{"a", 4}, {"b", 4}};
  EXPECT_EQ(line_of(job),
            "CUDA_DEVICE_ORDER=PCI_BUS_ID mpirun -x CUDA_DEVICE_ORDER -np 8 --hostfile hosts "
            "--oversubscribe --bind-to none -x OMP_NUM_THREADS=1 /opt/argosy-train --plan "
            "plan.json --device cuda");
}

TEST(Mpirun, TooFewSlotsNamesBothNumbers) {
  MpirunJob job = job_of(8, 2);
  job.hostfile = "hosts";
  job.hosts = {{"a", 4}, {"b", 3}};
  const std::string message = config_error(job);
  EXPECT_NE(message.find("7 slots on 2 hosts"), std::string::npos) << message;
  EXPECT_NE(message.find("8 ranks"), std::string::npos) << message;
}

TEST(Mpirun, AClusterPlanIsNotStartedOnALaptop) {
  EXPECT_NO_THROW(mpirun_command(job_of(32, 2)));
  const std::string message = config_error(job_of(2048, 2));
  EXPECT_NE(message.find("2048 ranks"), std::string::npos) << message;
  EXPECT_NE(message.find("2 cores"), std::string::npos) << message;
}

TEST(Mpirun, RootIsAnnounced) {
  MpirunJob job = job_of(1, 1);
  job.as_root = true;
  EXPECT_EQ(
      line_of(job).substr(0, std::string(kOneHost).size() + 65),
      std::string(kOneHost) + "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun ");
}

TEST(Mpirun, ThePlanIsGivenOnce) {
  MpirunJob job = job_of(1, 1);
  for (const auto& same :
       std::vector<std::vector<std::string>>{{"--plan", "plan.json"}, {"--plan=plan.json"}}) {
    job.trainer_arguments = same;
    EXPECT_EQ(mpirun_command(job).words.back(), same.back());
  }
  job.trainer_arguments = {"--plan", "other.json"};
  const std::string message = config_error(job);
  EXPECT_NE(message.find("other.json"), std::string::npos) << message;
}

TEST(Mpirun, WordsAreQuotedForTheShell) {
  EXPECT_EQ(to_shell({{{"A", "b c"}}, {}, {"run", "it's", "", "$HOME", "a=b"}}),
            "A='b c' run 'it'\\''s' '' '$HOME' a=b");
}

TEST(Mpirun, VariablesOfARunningJobAreKnown) {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "OMPI_MCA_ess_base_jobid",
                           "OMPI_MCA_orte_hnp_uri", "OMPI_UNIVERSE_SIZE"}) {
    EXPECT_TRUE(belongs_to_running_job(name)) << name;
  }
  for (const char* name : {"OMPI_MCA_btl", "OMPI_ALLOW_RUN_AS_ROOT", "PATH", "OMP_NUM_THREADS",
                           "OMPI_MCA_orte_keep_fqdn_hostnames", "OMPI_MCA_orte_default_hostfile",
                           "OMPI_MCA_orte_set_default_slots"}) {
    EXPECT_FALSE(belongs_to_running_job(name)) << name;
  }
}

TEST(Machine, HasCoresAndAFolder) {
  EXPECT_GE(usable_cores().count(), 1);
  EXPECT_FALSE(usable_cores().list.front().cpus.empty());
  EXPECT_TRUE(std::filesystem::exists(program_folder() / "launch_test"));
}

TEST(Machine, ReadsWhatTheKernelWrites) {
  EXPECT_EQ(parse_cpu_list("0-3,8,10-11\n"), (std::vector<int>{0, 1, 2, 3, 8, 10, 11}));
  EXPECT_EQ(parse_cpu_list(""), std::vector<int>());
  EXPECT_EQ(parse_cpu_quota("200000 100000"), 2.0);
  EXPECT_EQ(parse_cpu_quota("max 100000"), std::nullopt);
  EXPECT_EQ(parse_cpu_quota("-1 100000"), std::nullopt);  // v1: no limit
  EXPECT_EQ(parse_cpu_quota(" "), std::nullopt);
}

TEST(Hostfile, SlotsAddUp) {
  const auto hosts = parse_hostfile(
      "# machines\n"
      "node1 slots=4 max_slots=8\n"
      "\n"
      "node2\tslots=2  # half of it\r\n"
      "node1 slots=1\n",
      "hosts");
  EXPECT_EQ(hosts, (std::vector<Host>{{"node1", 5}, {"node2", 2}}));
  EXPECT_EQ(total_slots(hosts), 7);
}

TEST(Hostfile, ErrorsNameTheLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "hosts: names no host"},
      {"a slots=1\nb", "hosts line 2: host 'b' has no slots=N"},
      {"a slots=0", "hosts line 1: slots=0"},
      {"a slots=2x", "hosts line 1: slots=2x"},
      {"a slots=", "hosts line 1: slots="},
      {"a cpus=2", "hosts line 1: 'cpus=2' is not known"},
  };
  for (const auto& [text, expected] : cases) {
    try {
      parse_hostfile(text, "hosts");
      ADD_FAILURE() << "no ConfigError for " << text;
    } catch (const ConfigError& error) {
      EXPECT_EQ(std::string(error.what()).substr(0, expected.size()), expected);
    }
  }
}

}  // namespace
}  // namespace argosy
