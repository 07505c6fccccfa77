// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/mpirun.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "launch/devices.h"
#include "launch/words.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

// Ranks of the fullest host.
int64_t ranks_per_host(const MpirunJob& job) {
  if (job.hosts.empty()) return job.num_ranks;
  const auto fullest =
      std::max_element(job.hosts.begin(), job.hosts.end(),
                       [](const Host& a, const Host& b) { return a.slots < b.slots; });
  return std::min(fullest->slots, job.num_ranks);
}

void check_places(const MpirunJob& job) {
  if (job.hosts.empty()) {
    if (job.num_ranks > kMaxRanksPerCore * job.cores.count()) {
      throw ConfigError(concat("--plan ", job.plan, ": needs ", job.num_ranks,
                               " ranks, this machine has ", job.cores.count(),
                               " cores and no --hostfile names others; at most ", kMaxRanksPerCore,
                               " ranks a core are started"));
    }
    return;
  }
  if (total_slots(job.hosts) < job.num_ranks) {
    throw ConfigError(concat("--hostfile ", job.hostfile, ": has ", total_slots(job.hosts),
                             " slots on ", job.hosts.size(), " hosts, --plan ", job.plan, " needs ",
                             job.num_ranks, " ranks; add hosts or plan for fewer"));
  }
}

// What Linux takes of one argument (MAX_ARG_STRLEN), its end included.
constexpr size_t kLongestArgument = 131072;

bool is_reordered(const MpirunJob& job) {
  return job.mesh.order != RankOrder::tp_cp_dp_pp && job.hosts.size() > 1;
}

// "a,a,b,b": the host of each rank. Devices are the slots of the hosts in their order.
std::string host_of_each_rank(const MpirunJob& job) {
  std::vector<const std::string*> host_of_device;
  for (const Host& host : job.hosts) {
    host_of_device.insert(host_of_device.end(), static_cast<size_t>(host.slots), &host.name);
  }
  std::string list;
  for (int64_t rank = 0; rank < job.num_ranks; ++rank) {
    if (rank > 0) list += ",";
    list += *host_of_device[static_cast<size_t>(device_of_rank(job.mesh, rank))];
  }
  if (list.size() >= kLongestArgument) {
    throw ConfigError(concat("--plan ", job.plan, ": order ", to_string(job.mesh.order), " of ",
                             job.num_ranks, " ranks takes a list of hosts of ", list.size(),
                             " bytes, and an argument has at most ", kLongestArgument,
                             "; valid: shorter names of hosts, or a plan with --fix "
                             "order=tp-cp-dp-pp"));
  }
  return list;
}

void append_trainer(const MpirunJob& job, std::vector<std::string>& words) {
  const std::vector<std::string> trainer =
      trainer_words(job.trainer, job.plan, job.trainer_arguments);
  words.insert(words.end(), trainer.begin(), trainer.end());
}

// A rank waits for its slowest thread, and all ranks for the slowest rank: small cores are left out
// where there is a large one for each rank of this machine.
std::vector<Core> cores_to_use(const MpirunJob& job) {
  std::vector<Core> cores = job.cores.list;
  const auto first_small =
      std::find_if(cores.begin(), cores.end(), [](const Core& core) { return core.is_small; });
  const int64_t wanted = job.num_ranks * std::max<int64_t>(job.threads_per_rank, 1);
  if (job.hosts.empty() && first_small - cores.begin() >= wanted) {
    cores.erase(first_small, cores.end());
  }
  if (static_cast<int64_t>(cores.size()) > job.cores.count()) {  // what the quota pays for
    cores.resize(static_cast<size_t>(job.cores.count()));
  }
  return cores;
}

bool leaves_cores_out(const MpirunJob& job, int64_t num_cores) {
  if (!job.hosts.empty()) return false;
  return !job.cores.whole_machine ||
         num_cores < std::min(static_cast<int64_t>(job.cores.list.size()), job.cores.count());
}

int64_t threads_of_rank(const MpirunJob& job, int64_t num_cores) {
  const int64_t ranks_here = ranks_per_host(job), threads = job.threads_per_rank;
  if (!job.binds_ranks) return threads;
  if (threads == 0) return std::max<int64_t>(1, num_cores / ranks_here);
  if (threads > 1 && ranks_here * threads > num_cores) {
    throw ConfigError(concat("--threads-per-rank: ", threads, " threads of ", ranks_here,
                             " ranks need ", threads * ranks_here, " cores, this machine has ",
                             num_cores, "; valid: 1 to ",
                             std::max<int64_t>(1, num_cores / ranks_here)));
  }
  return threads;
}

bool uses_gpus(const MpirunJob& job) {
  return asks_for_gpus(job.trainer_arguments);
}

void check_gpus(const MpirunJob& job) {
  if (!job.hosts.empty() || !job.gpus || has_argument(job.trainer_arguments, "--share-gpus"))
    return;
  const auto num_gpus = static_cast<int64_t>(job.gpus->size());
  if (num_gpus >= job.num_ranks) return;
  throw ConfigError(concat("--plan ", job.plan, ": needs ", job.num_ranks,
                           " ranks, each with a GPU of its own, and this machine shows ", num_gpus,
                           "; valid: a plan for at most ", num_gpus, ", a --hostfile with more ",
                           "machines, or --share-gpus behind -- for tests"));
}

// One block of words a rank, separated by colons, as mpirun starts several programs.
void append_ranks_with_cpus(const MpirunJob& job, const std::vector<std::vector<Core>>& of_rank,
                            int64_t threads, std::vector<std::string>& words) {
  words.insert(words.end(), {"--bind-to", "none"});
  for (int64_t rank = 0; rank < job.num_ranks; ++rank) {
    std::string cpus;
    for (const Core& core : of_rank[static_cast<size_t>(rank)]) {
      for (const int cpu : core.cpus) cpus += concat(cpus.empty() ? "" : ",", cpu);
    }
    if (rank > 0) words.emplace_back(":");
    words.insert(words.end(),
                 {"-np", "1", "-x", concat("OMP_NUM_THREADS=", threads), "taskset", "-c", cpus});
    append_trainer(job, words);
  }
}

// [rank]: as many cores each, one after the other.
std::vector<std::vector<Core>> cores_in_order(const MpirunJob& job, const std::vector<Core>& cores,
                                              int64_t threads) {
  std::vector<std::vector<Core>> of_rank;
  for (int64_t rank = 0; rank < job.num_ranks; ++rank) {
    const auto first = cores.begin() + rank * threads;
    of_rank.emplace_back(first, first + threads);
  }
  return of_rank;
}

// [rank]: cores near its GPU, equally many each; empty where some GPU's are not known or are too
// few for its ranks.
std::vector<std::vector<Core>> cores_near_gpus(const MpirunJob& job,
                                               const std::vector<Core>& cores) {
  if (!job.binds_ranks || !job.hosts.empty() || !job.gpus || job.gpus->empty()) return {};
  const auto gpu_of = [&](int64_t rank) -> const Gpu& {
    return (*job.gpus)[static_cast<size_t>(rank) % job.gpus->size()];
  };
  std::map<std::vector<int>, std::vector<Core>> near;  // by the CPUs of a NUMA node
  std::map<std::vector<int>, int64_t> num_ranks;
  for (int64_t rank = 0; rank < job.num_ranks; ++rank) ++num_ranks[gpu_of(rank).cpus];
  int64_t each = job.threads_per_rank;
  for (const auto& [cpus, ranks] : num_ranks) {
    for (const Core& core : cores) {
      const bool is_near =
          std::all_of(core.cpus.begin(), core.cpus.end(), [&, &list = cpus](int c) {
            return std::find(list.begin(), list.end(), c) != list.end();
          });
      if (is_near) near[cpus].push_back(core);
    }
    const int64_t share = static_cast<int64_t>(near[cpus].size()) / ranks;
    if (share == 0 || share < job.threads_per_rank) return {};
    if (job.threads_per_rank == 0) each = each == 0 ? share : std::min(each, share);
  }
  std::vector<std::vector<Core>> of_rank;
  for (int64_t rank = 0; rank < job.num_ranks; ++rank) {
    std::vector<Core>& left = near[gpu_of(rank).cpus];
    of_rank.emplace_back(left.begin(), left.begin() + each);
    left.erase(left.begin(), left.begin() + each);
  }
  return of_rank;
}

// Where the ranks run and what they are bound to.
void append_places(const MpirunJob& job, bool is_bound, int64_t threads,
                   std::vector<std::string>& words) {
  if (is_reordered(job)) {
    words.insert(words.end(), {"--host", host_of_each_rank(job), "--map-by", "seq", "--bind-to",
                               is_bound && threads == 1 ? "core" : "none"});
    return;
  }
  if (!job.hostfile.empty()) words.insert(words.end(), {"--hostfile", job.hostfile});
  if (is_bound) {
    words.insert(words.end(), {"--map-by", concat("slot:PE=", threads), "--bind-to", "core"});
    return;
  }
  if (job.binds_ranks || job.hosts.empty()) words.emplace_back("--oversubscribe");
  words.insert(words.end(), {"--bind-to", "none"});
}

}  // namespace

Command mpirun_command(const MpirunJob& job) {
  CHECK(job.num_ranks >= 1, job.num_ranks, " ranks");
  CHECK(job.binds_ranks || job.threads_per_rank > 0, "unbound ranks without threads");
  check_places(job);
  const std::vector<Core> cores = cores_to_use(job);
  const auto num_cores = static_cast<int64_t>(cores.size());
  const int64_t threads = threads_of_rank(job, num_cores);
  const bool is_bound =
      job.binds_ranks && !uses_gpus(job) && ranks_per_host(job) * threads <= num_cores;
  Command command;
  if (job.as_root) {
    command.environment = {{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                           {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"}};
  }
  if (job.hosts.empty()) {
    // Open MPI need not look for fast networks, a quarter of its start; tcp where /dev/shm is full.
    command.defaults = {{"OMPI_MCA_pml", "ob1"}, {"OMPI_MCA_btl", "self,vader,tcp"}};
  }
  std::vector<std::string>& words = command.words;
  words = {"mpirun"};
  if (uses_gpus(job)) {
    check_gpus(job);
    // The numbers of GPUs are then those of their PCI addresses, as here.
    command.defaults.emplace_back("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
    if (!job.hosts.empty()) words.insert(words.end(), {"-x", "CUDA_DEVICE_ORDER"});
    const std::vector<std::vector<Core>> near = cores_near_gpus(job, cores);
    if (!near.empty()) {
      append_ranks_with_cpus(job, near, static_cast<int64_t>(near.front().size()), words);
      return command;
    }
  }
  if (is_bound && leaves_cores_out(job, num_cores)) {
    append_ranks_with_cpus(job, cores_in_order(job, cores, threads), threads, words);
    return command;
  }
  words.insert(words.end(), {"-np", std::to_string(job.num_ranks)});
  append_places(job, is_bound, threads, words);
  words.insert(words.end(), {"-x", concat("OMP_NUM_THREADS=", threads)});
  append_trainer(job, words);
  return command;
}

std::string to_shell(const Command& command) {
  std::string line;
  for (const auto& [name, value] : command.defaults) line += name + "=" + shell_word(value) + " ";
  for (const auto& [name, value] : command.environment)
    line += concat(name, "=", shell_word(value), " ");
  for (size_t i = 0; i < command.words.size(); ++i) {
    line += (i == 0 ? "" : " ") + shell_word(command.words[i]);
  }
  return line;
}

bool belongs_to_running_job(std::string_view variable) {
  // As found in the environment of a rank of Open MPI 4.1.4.
  constexpr std::array kPrefixes = {"OMPI_COMM_WORLD_",
                                    "PMIX_",
                                    "OMPI_MCA_orte_",
                                    "OMPI_MCA_ess",
                                    "OMPI_MCA_pmix",
                                    "OMPI_UNIVERSE_SIZE",
                                    "OMPI_NUM_APP_CTX",
                                    "OMPI_FIRST_RANKS",
                                    "OMPI_APP_CTX_NUM_PROCS",
                                    "OMPI_COMMAND",
                                    "OMPI_ARGV",
                                    "OMPI_FILE_LOCATION",
                                    "OMPI_MCA_initial_wdir",
                                    "OMPI_MCA_mpi_oversubscribe",
                                    "OMPI_MCA_shmem_RUNTIME_QUERY_hint"};
  // How the MPI operator of Kubernetes tells mpirun of the pods.
  constexpr std::array kOfOperator = {"OMPI_MCA_orte_keep_fqdn_hostnames",
                                      "OMPI_MCA_orte_default_hostfile",
                                      "OMPI_MCA_orte_set_default_slots"};
  if (std::find(kOfOperator.begin(), kOfOperator.end(), variable) != kOfOperator.end())
    return false;
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return variable.starts_with(prefix); });
}

}  // namespace argosy
