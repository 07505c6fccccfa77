// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-launch: starts the ranks of a plan.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <system_error>

#include "launch/gpus.h"
#include "launch/hostfile.h"
#include "launch/mpirun.h"
#include "launch/options.h"
#include "launch/slurm.h"
#include "planner/spec/check.h"
#include "planner/spec/host.h"
#include "planner/spec/plan.h"

namespace argosy {
namespace {

std::string trainer_path() {
  return (program_folder() / "argosy-train").string();
}

void leave_running_job() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (belongs_to_running_job(name)) names.emplace_back(name);
  }
  for (const std::string& name : names) ::unsetenv(name.c_str());
}

[[noreturn]] void replace_by(std::vector<std::string> words, const char* package) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  throw Error(concat("cannot start ", words[0], ": ", std::generic_category().message(errno),
                     "; is it installed (Debian: ", package, ") and in PATH?"));
}

// Replaces this process: signals reach mpirun, and its exit code is ours.
[[noreturn]] void execute(const Command& command) {
  leave_running_job();
  for (const auto& [name, value] : command.environment) {
    ::setenv(name.c_str(), value.c_str(), /*overwrite=*/1);
  }
  for (const auto& [name, value] : command.defaults) {
    ::setenv(name.c_str(), value.c_str(), /*overwrite=*/0);
  }
  replace_by(command.words, "openmpi-bin");
}

// Replaces this process by sbatch, which reads the script from its standard input.
[[noreturn]] void submit(const std::string& script) {
  std::FILE* const file = std::tmpfile();
  if (file == nullptr || std::fputs(script.c_str(), file) < 0 || std::fflush(file) != 0 ||
      ::lseek(::fileno(file), 0, SEEK_SET) != 0 || ::dup2(::fileno(file), STDIN_FILENO) < 0) {
    throw Error(
        concat("cannot hand the script to sbatch: ", std::generic_category().message(errno)));
  }
  replace_by({"sbatch"}, "slurm-client");
}

MpirunJob mpirun_job(const LaunchOptions& options, const Plan& plan) {
  MpirunJob job;
  job.plan = options.plan;
  job.mesh = plan.mesh;
  job.num_ranks = job.mesh.world_size();
  job.hostfile = options.hostfile;
  if (!options.hostfile.empty()) job.hosts = read_hostfile(options.hostfile);
  job.cores = usable_cores();
  job.gpus = gpus_of_machine();
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES"); visible != nullptr && job.gpus) {
    job.gpus = visible_gpus(*job.gpus, visible);
  }
  job.threads_per_rank = options.threads_per_rank;
  job.as_root = is_root();
  job.trainer = trainer_path();
  job.trainer_arguments = options.trainer_arguments;
  return job;
}

SlurmJob slurm_job(const LaunchOptions& options, const Plan& plan) {
  return {.name = concat("argosy-", plan.model.name),
          .mesh = plan.mesh,
          .plan = options.plan,
          .ranks_per_node = options.ranks_per_node,
          .threads_per_rank = options.threads_per_rank,
          .max_restarts = options.max_restarts,
          .sbatch = options.sbatch,
          .trainer = trainer_path(),
          .trainer_arguments = options.trainer_arguments};
}

int run(const std::vector<std::string>& arguments) {
  const LaunchOptions options = parse_options(arguments);
  if (options.help) {
    std::cout << launch_usage();
    return kExitDone;
  }
  const Plan plan = read_plan(options.plan);
  const bool is_batch = options.scheduler == Scheduler::slurm;
  const std::string script = is_batch ? slurm_script(slurm_job(options, plan)) : "";
  const Command command = is_batch ? Command{} : mpirun_command(mpirun_job(options, plan));
  if (options.dry_run) {
    std::cout << (is_batch ? script : to_shell(command) + "\n");
    return kExitDone;
  }
  if (::access(trainer_path().c_str(), X_OK) != 0) {
    throw Error(concat(trainer_path(), ": ", std::generic_category().message(errno),
                       "; argosy-train is expected beside argosy-launch"));
  }
  if (is_batch) submit(script);
  execute(command);
}

}  // namespace
}  // namespace argosy

int main(int argc, char** argv) {
  try {
    return argosy::run({argv + 1, argv + argc});
  } catch (const argosy::ConfigError& error) {
    std::cerr << "argosy-launch: " << error.what() << '\n';
    return argosy::kExitUserError;
  } catch (const std::exception& error) {
    std::cerr << "argosy-launch: " << error.what() << '\n';
    return argosy::kExitFailure;
  }
}
