// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/slurm.h"

#include "launch/batch.h"
#include "launch/devices.h"
#include "launch/words.h"
#include "planner/spec/check.h"
#include "planner/spec/host.h"

namespace argosy {
namespace {

constexpr int kWarningS = 300;  // enough for a checkpoint of a large model

// Slurm numbers the ranks node by node.
void check_order(const SlurmJob& job, int64_t num_nodes) {
  if (num_nodes == 1 || job.mesh.order == RankOrder::tp_cp_dp_pp) return;
  throw ConfigError(concat("--plan ", job.plan, ": order ", to_string(job.mesh.order),
                           " on several nodes; valid with --scheduler slurm: a plan with --fix "
                           "order=tp-cp-dp-pp"));
}

std::string directives(const SlurmJob& job, int64_t nodes, int64_t ranks) {
  std::vector<std::string> options = {concat("job-name=", job.name),
                                      concat("nodes=", nodes),
                                      concat("ntasks-per-node=", ranks),
                                      concat("cpus-per-task=", job.threads_per_rank),
                                      "hint=nomultithread",
                                      concat("signal=USR1@", kWarningS),
                                      "requeue",
                                      "open-mode=append"};
  if (asks_for_gpus(job.trainer_arguments)) options.push_back(concat("gpus-per-node=", ranks));
  options.insert(options.end(), job.sbatch.begin(), job.sbatch.end());
  std::string text;
  for (const std::string& option : options) text += concat("#SBATCH --", option, "\n");
  return text;
}

}  // namespace

std::string slurm_script(const SlurmJob& job) {
  const int64_t num_ranks = job.mesh.world_size();
  const int64_t ranks = ranks_of_node({.scheduler = "slurm",
                                       .holder = "a node",
                                       .per_node = job.ranks_per_node,
                                       .threads_per_rank = job.threads_per_rank,
                                       .plan_path = job.plan,
                                       .planned = job.planned},
                                      num_ranks);
  const int64_t num_nodes = num_ranks / ranks;
  check_order(job, num_nodes);
  const std::string resume = trainer_option(job.trainer_arguments, "resume").value_or("none");
  std::string trainer;  // without --resume, which the script decides
  for (const std::string& word :
       trainer_words(job.trainer, job.plan, without_option(job.trainer_arguments, "resume")))
    trainer += shell_word(word) + " ";
  return concat("#!/bin/bash\n", directives(job, num_nodes, ranks),
                "export OMP_NUM_THREADS=", job.threads_per_rank, " CUDA_DEVICE_ORDER=PCI_BUS_ID\n",
                "restarts=${SLURM_RESTART_COUNT:-0}\nresume=", shell_word(resume),
                "\nif ((restarts > 0)); then resume=auto; fi\n",
                "srun --mpi=pmix --cpus-per-task=", job.threads_per_rank,
                " --cpu-bind=cores --kill-on-bad-exit=1 \\\n  ", trainer, "--resume \"$resume\"\n",
                "code=$?\n# ", kExitRequeue, ": stopped by a signal, and saved. ", kExitUserError,
                ": a mistake, which another start would not mend.\n", "if ((code == ", kExitRequeue,
                " || (code != 0 && code != ", kExitUserError, " && restarts < ", job.max_restarts,
                "))); then\n  scontrol requeue \"$SLURM_JOB_ID\"\nfi\nexit \"$code\"\n");
}

}  // namespace argosy
