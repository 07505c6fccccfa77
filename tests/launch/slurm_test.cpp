// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/slurm.h"

#include <gtest/gtest.h>

#include "tests/support/texts.h"

namespace argosy {
namespace {

SlurmJob job_of(int64_t dp, int64_t ranks_per_node) {
  SlurmJob job;
  job.name = "argosy-demo";
  job.mesh.dp = dp;
  job.plan = "plan.json";
  job.ranks_per_node = ranks_per_node;
  job.threads_per_rank = 12;
  job.trainer = "/opt/argosy-train";
  job.trainer_arguments = {"--data", "my data.bin", "--device", "cuda"};
  return job;
}

std::string config_error(const SlurmJob& job) {
  return config_error_of([&] { slurm_script(job); });
}

TEST(Slurm, AScriptStartsTheRanksAndGoesOnWhereItStopped) {
  SlurmJob job = job_of(16, 8);
  job.sbatch = {"time=24:00:00", "partition=gpu"};
  EXPECT_EQ(slurm_script(job), R"(#!/bin/bash
#SBATCH --job-name=argosy-demo
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --cpus-per-task=12
#SBATCH --hint=nomultithread
#SBATCH --signal=USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --gpus-per-node=8
#SBATCH --time=24:00:00
#SBATCH --partition=gpu
export OMP_NUM_THREADS=12 CUDA_DEVICE_ORDER=PCI_BUS_ID
restarts=${SLURM_RESTART_COUNT:-0}
resume=none
if ((restarts > 0)); then resume=auto; fi
srun --mpi=pmix --cpus-per-task=12 --cpu-bind=cores --kill-on-bad-exit=1 \
  /opt/argosy-train --plan plan.json --data 'my data.bin' --device cuda --resume "$resume"
code=$?
# 75: stopped by a signal, and saved. 2: a mistake, which another start would not mend.
if ((code == 75 || (code != 0 && code != 2 && restarts < 0))); then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
)");
}

TEST(Slurm, ASmallJobTakesAPartOfANode) {
  SlurmJob job = job_of(2, 8);
  job.trainer_arguments = {"--resume=auto", "--steps", "5"};
  job.max_restarts = 3;
  const std::string script = slurm_script(job);
  for (const char* part : {"--nodes=1\n", "--ntasks-per-node=2\n", "\nresume=auto\n",
                           "--steps 5 --resume \"$resume\"", "restarts < 3"})
    EXPECT_TRUE(contains(script, part)) << part << " in\n" << script;
  EXPECT_FALSE(contains(script, "gpus")) << script;
}

TEST(Slurm, NodesAreThoseOfThePlanUnlessTheyAreGiven) {
  SlurmJob job = job_of(12, 0);
  job.planned = PlannedDevices{.kind = Device::cuda, .per_node = 4};
  EXPECT_TRUE(contains(slurm_script(job), "--nodes=3\n#SBATCH --ntasks-per-node=4\n"));
  job.ranks_per_node = 6;
  EXPECT_TRUE(contains(slurm_script(job), "--nodes=2\n#SBATCH --ntasks-per-node=6\n"));
  job = job_of(12, 0);
  job.planned = PlannedDevices{.kind = Device::cuda, .per_node = 8};
  EXPECT_EQ(config_error(job),
            "--ranks-per-node: 8, which the nodes of --plan plan.json have, does not divide its "
            "12 ranks");
}

TEST(Slurm, WhatItCannotKnowIsAskedFor) {
  SlurmJob job = job_of(16, 0);
  EXPECT_TRUE(contains(config_error(job), "--ranks-per-node is missing"));
  job = job_of(16, 8);
  job.threads_per_rank = 0;
  EXPECT_TRUE(contains(config_error(job), "--threads-per-rank is missing"));
  EXPECT_EQ(config_error(job_of(12, 8)),
            "--ranks-per-node: 8 does not divide the 12 ranks of --plan plan.json");
  job = job_of(16, 8);
  job.mesh.order = RankOrder::tp_cp_pp_dp;
  EXPECT_TRUE(contains(config_error(job), "--fix order=tp-cp-dp-pp"));
  job = job_of(16, 8);
  job.trainer_arguments = {"--plan", "other.json"};
  EXPECT_TRUE(contains(config_error(job), "the trainer other.json"));
}

}  // namespace
}  // namespace argosy
