// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/mpirun.h"

#include <algorithm>
#include <array>
#include <string>

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
    if (job.num_ranks > kMaxRanksPerCore * job.cores) {
      throw ConfigError(concat("--plan ", job.plan, ": needs ", job.num_ranks,
                               " ranks, this machine has ", job.cores,
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

// The trainer's own --plan, where the user wrote one, must be ours.
void append_trainer(const MpirunJob& job, std::vector<std::string>& words) {
  words.push_back(job.trainer);
  bool has_plan = false;
  const auto& arguments = job.trainer_arguments;
  for (size_t i = 0; i < arguments.size(); ++i) {
    constexpr std::string_view kPlanIs = "--plan=";
    const bool is_word = arguments[i] == "--plan" && i + 1 < arguments.size();
    if (!is_word && !arguments[i].starts_with(kPlanIs)) continue;
    const std::string plan = is_word ? arguments[i + 1] : arguments[i].substr(kPlanIs.size());
    if (plan != job.plan) {
      throw ConfigError(concat("--plan: the launcher was given ", job.plan, ", the trainer ", plan,
                               "; give it once, before --"));
    }
    has_plan = true;
  }
  if (!has_plan) words.insert(words.end(), {"--plan", job.plan});
  words.insert(words.end(), arguments.begin(), arguments.end());
}

}  // namespace

Command mpirun_command(const MpirunJob& job) {
  CHECK(job.num_ranks >= 1 && job.cores >= 1, job.num_ranks, " ranks, ", job.cores, " cores");
  check_places(job);
  const int64_t ranks_here = ranks_per_host(job);
  const int64_t threads = std::max<int64_t>(1, job.cores / ranks_here);
  Command command;
  if (job.as_root) {
    command.environment = {{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                           {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"}};
  }
  command.words = {"mpirun", "-np", std::to_string(job.num_ranks)};
  const bool reordered = is_reordered(job);
  if (reordered) {
    command.words.insert(command.words.end(), {"--host", host_of_each_rank(job)});
  } else if (!job.hostfile.empty()) {
    command.words.insert(command.words.end(), {"--hostfile", job.hostfile});
  }
  if (reordered) {
    const bool is_bound = ranks_here <= job.cores && threads == 1;
    command.words.insert(command.words.end(),
                         {"--map-by", "seq", "--bind-to", is_bound ? "core" : "none"});
  } else if (ranks_here <= job.cores) {
    command.words.insert(command.words.end(),
                         {"--map-by", concat("slot:PE=", threads), "--bind-to", "core"});
  } else {
    command.words.insert(command.words.end(), {"--oversubscribe", "--bind-to", "none"});
  }
  command.words.insert(command.words.end(), {"-x", concat("OMP_NUM_THREADS=", threads)});
  append_trainer(job, command.words);
  return command;
}

std::string to_shell(const Command& command) {
  const auto quote = [](const std::string& word) {
    constexpr std::string_view kSafe =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
    if (!word.empty() && word.find_first_not_of(kSafe) == std::string::npos) return word;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
  };
  std::string line;
  for (const auto& [name, value] : command.environment)
    line += concat(name, "=", quote(value), " ");
  for (size_t i = 0; i < command.words.size(); ++i) {
    line += (i == 0 ? "" : " ") + quote(command.words[i]);
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
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return variable.starts_with(prefix); });
}

}  // namespace argosy
