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
#include <optional>
#include <system_error>

#include "launch/devices.h"
#include "launch/gpus.h"
#include "launch/hostfile.h"
#include "launch/job_process.h"
#include "launch/kubernetes.h"
#include "launch/mpirun.h"
#include "launch/options.h"
#include "launch/restart.h"
#include "launch/slurm.h"
#include "launch/supervisor.h"
#include "launch/words.h"
#include "planner/spec/check.h"
#include "planner/spec/host.h"
#include "planner/spec/plan.h"

namespace argosy {
namespace {

std::string trainer_path() {
  return (program_folder() / "argosy-train").string();
}

void require_trainer() {
  if (::access(trainer_path().c_str(), X_OK) == 0) return;
  throw Error(concat(trainer_path(), ": ", std::generic_category().message(errno),
                     "; argosy-train is expected beside argosy-launch"));
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
  throw_cannot_start(words[0], package, errno);
}

// What mpirun and its ranks are to see of the environment.
void prepare_environment(const Command& command) {
  leave_running_job();
  for (const auto& [name, value] : command.environment) {
    ::setenv(name.c_str(), value.c_str(), /*overwrite=*/1);
  }
  for (const auto& [name, value] : command.defaults) {
    ::setenv(name.c_str(), value.c_str(), /*overwrite=*/0);
  }
}

// Replaces this process by `words`, which read the text from their standard input.
[[noreturn]] void submit(const std::string& text, const std::vector<std::string>& words,
                         const char* package) {
  std::FILE* const file = std::tmpfile();
  if (file == nullptr || std::fputs(text.c_str(), file) < 0 || std::fflush(file) != 0 ||
      ::lseek(::fileno(file), 0, SEEK_SET) != 0 || ::dup2(::fileno(file), STDIN_FILENO) < 0) {
    throw Error(
        concat("cannot hand the job to ", words[0], ": ", std::generic_category().message(errno)));
  }
  replace_by(words, package);
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
  job.binds_ranks = options.binds_ranks;
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
          .planned = plan.devices,
          .threads_per_rank = options.threads_per_rank,
          .max_restarts = options.max_restarts,
          .sbatch = options.sbatch,
          .trainer = trainer_path(),
          .trainer_arguments = options.trainer_arguments};
}

KubernetesJob kubernetes_job(const LaunchOptions& options) {
  return {.name = options.job_name,
          .name_space = options.name_space,
          .image = options.image,
          .claims = options.claims,
          .memory = options.memory,
          .ranks_per_node = options.ranks_per_node,
          .threads_per_rank = options.threads_per_rank,
          .max_restarts = options.max_restarts,
          .plan_path = options.plan,
          .trainer_arguments = options.trainer_arguments};
}

int run_batch(const LaunchOptions& options, const Plan& plan) {
  const bool is_slurm = options.scheduler == Scheduler::slurm;
  const std::string text = is_slurm ? slurm_script(slurm_job(options, plan))
                                    : kubernetes_manifest(kubernetes_job(options), plan);
  if (options.dry_run) {
    std::cout << text;
    return kExitDone;
  }
  if (!is_slurm) submit(text, {"kubectl", "apply", "-f", "-"}, "kubernetes-client");
  require_trainer();
  submit(text, {"sbatch"}, "slurm-client");
}

// The trainer's own verdict on what stands behind --, before there are ranks: mpirun would add a
// dozen lines to the one that tells the mistake. Other machines may have other files: their ranks
// look for themselves. Nothing where the ranks are to start.
std::optional<int> refused_by_trainer(const MpirunJob& job) {
  if (!job.hosts.empty()) return std::nullopt;
  std::vector<std::string> words = trainer_words(job.trainer, job.plan, job.trainer_arguments);
  words.emplace_back("--check-options");
  const JobEnd end = run_job(words, JobSignals());
  const bool is_refused = end.exit_code == kExitUserError || end.was_stopped;
  return is_refused ? std::optional(end.exit_code) : std::nullopt;
}

int run_mpirun(const LaunchOptions& options, const Plan& plan) {
  MpirunJob job = mpirun_job(options, plan);
  const Command command = mpirun_command(job);
  const bool is_supervised = options.max_restarts > 0;
  const std::filesystem::path run_dir =
      is_supervised ? restartable_run_dir(options.trainer_arguments, options.max_restarts) : "";
  if (options.dry_run) {
    std::cout << to_shell(command) << '\n';
    if (is_supervised)
      std::cout << "# where it fails: the same with --resume auto, at most " << options.max_restarts
                << " times without a new checkpoint\n";
    return kExitDone;
  }
  require_trainer();
  prepare_environment(command);
  if (const std::optional<int> code = refused_by_trainer(job)) return *code;
  // Signals reach mpirun, and its exit code is ours.
  if (!is_supervised) replace_by(command.words, "openmpi-bin");
  job.trainer_arguments = without_option(options.trainer_arguments, "resume");
  job.trainer_arguments.insert(job.trainer_arguments.end(), {"--resume", "auto"});
  return supervise({.first = command.words,
                    .again = mpirun_command(job).words,
                    .run_dir = run_dir,
                    .max_restarts = options.max_restarts,
                    .say = [](const std::string& line) {
                      std::cerr << "argosy-launch: " << line << std::endl;
                    }});
}

int run(const std::vector<std::string>& arguments) {
  const LaunchOptions options = parse_options(arguments);
  if (options.help) {
    std::cout << launch_usage();
    return kExitDone;
  }
  const Plan plan = read_plan(options.plan);
  const std::string doubt = doubt_of_devices(plan, options.plan, options.trainer_arguments);
  if (!doubt.empty()) std::cerr << "argosy-launch: warning: " << doubt << std::endl;
  return options.scheduler == Scheduler::mpirun ? run_mpirun(options, plan)
                                                : run_batch(options, plan);
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
