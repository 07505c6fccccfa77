// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/options.h"

#include <algorithm>
#include <boost/program_options.hpp>

#include "planner/spec/check.h"
#include "planner/spec/command_line.h"

namespace argosy {

namespace {

namespace po = boost::program_options;

po::typed_value<std::string>* text() {
  return po::value<std::string>();
}
po::typed_value<std::vector<std::string>>* texts() {
  return po::value<std::vector<std::string>>();
}

po::options_description description() {
  po::options_description options("Options");
  auto add = options.add_options();
  add("plan", text(), "plan.json, as argosy-plan wrote it");
  add("hostfile", text(), "machines, a line each: name slots=N");
  add("threads-per-rank", po::value<int64_t>(),
      "cores and OpenMP threads of a rank; else the cores of the machine / its ranks");
  add("bind-to", text()->default_value("auto"),
      "auto: to cores of their own where there are enough; none: the cores of the hosts are not "
      "counted and ranks not bound, as in containers; "
      "with --threads-per-rank");
  add("scheduler", text()->default_value("mpirun"),
      "mpirun: starts the ranks; slurm: submits a batch job that does; kubernetes: applies an "
      "MPIJob");
  add("max-restarts", po::value<int>()->default_value(0),
      "how often a job that failed goes on from its newest checkpoint: with mpirun and kubernetes "
      "in a row without a new checkpoint, with slurm in all");
  add("ranks-per-node", po::value<int64_t>(),
      "with slurm: devices of a node; kubernetes: of a pod; else those of a node of the plan");
  add("sbatch", texts(),
      "with slurm: an option of sbatch, as partition=gpu or time=24:00:00; can be repeated");
  add("image", text(), "with kubernetes: the container image of all pods");
  add("claim", texts(),
      "with kubernetes: a volume as NAME:/path/in/pods, for data and run folder; can be repeated");
  add("job-name", text(), "with kubernetes: else argosy- and the model's");
  add("namespace", text(), "with kubernetes: else that of kubectl's context");
  add("memory", text(), "with kubernetes: of a worker's pod, as 512Gi");
  add("dry-run", po::bool_switch(), "print the command or the script instead of running it");
  add("help,h", "this text");
  return options;
}

Scheduler scheduler_of(const po::variables_map& values) {
  const auto& scheduler = values["scheduler"].as<std::string>();
  if (scheduler == "mpirun") return Scheduler::mpirun;
  if (scheduler == "slurm") return Scheduler::slurm;
  if (scheduler == "kubernetes") return Scheduler::kubernetes;
  throw ConfigError(concat("--scheduler: '", scheduler, "'; valid: mpirun, slurm, kubernetes"));
}

int64_t count(const po::variables_map& values, const char* key) {
  if (!values.contains(key)) return 0;
  const auto value = values[key].as<int64_t>();
  if (value < 1) throw ConfigError(concat("--", key, ": ", value, " must be at least 1"));
  return value;
}

// Empty where it is not given.
std::string text_of(const po::variables_map& values, const char* key) {
  return values.contains(key) ? values[key].as<std::string>() : "";
}
std::vector<std::string> texts_of(const po::variables_map& values, const char* key) {
  return values.contains(key) ? values[key].as<std::vector<std::string>>()
                              : std::vector<std::string>{};
}

// Options that only some schedulers have. Where Slurm or Kubernetes chooses the nodes, a hostfile
// has nothing to say.
void check_options_of_scheduler(const po::variables_map& values, Scheduler scheduler) {
  struct Owned {
    const char* option;
    std::vector<Scheduler> schedulers;
    const char* valid;
  };
  using enum Scheduler;
  const std::vector<Owned> owned = {
      {"hostfile", {mpirun}, "only with --scheduler mpirun; Slurm takes --sbatch nodelist=..."},
      {"bind-to", {mpirun}, "only with --scheduler mpirun"},
      {"ranks-per-node", {slurm, kubernetes}, "only with --scheduler slurm or kubernetes"},
      {"sbatch", {slurm}, "only with --scheduler slurm"},
      {"image", {kubernetes}, "only with --scheduler kubernetes"},
      {"claim", {kubernetes}, "only with --scheduler kubernetes"},
      {"job-name",
       {kubernetes},
       "only with --scheduler kubernetes; Slurm takes --sbatch job-name=..."},
      {"namespace", {kubernetes}, "only with --scheduler kubernetes"},
      {"memory", {kubernetes}, "only with --scheduler kubernetes; Slurm takes --sbatch mem=..."}};
  for (const Owned& one : owned) {
    const bool is_given = values.contains(one.option) && !values[one.option].defaulted();
    const bool is_valid =
        std::find(one.schedulers.begin(), one.schedulers.end(), scheduler) != one.schedulers.end();
    if (is_given && !is_valid) throw ConfigError(concat("--", one.option, ": ", one.valid));
  }
}

void read_scheduler(const po::variables_map& values, LaunchOptions* options) {
  options->scheduler = scheduler_of(values);
  check_options_of_scheduler(values, options->scheduler);
  options->ranks_per_node = count(values, "ranks-per-node");
  options->max_restarts = values["max-restarts"].as<int>();
  if (options->max_restarts < 0) {
    throw ConfigError(concat("--max-restarts: ", options->max_restarts, " must not be negative"));
  }
  options->sbatch = texts_of(values, "sbatch");
  for (const std::string& option : options->sbatch) {
    if (option.empty() || option[0] == '-' || option.find('\n') != std::string::npos) {
      throw ConfigError(
          concat("--sbatch: '", option, "'; valid: an option without dashes, as time=24:00:00"));
    }
  }
  options->image = text_of(values, "image");
  options->claims = texts_of(values, "claim");
  options->job_name = text_of(values, "job-name");
  options->name_space = text_of(values, "namespace");
  options->memory = text_of(values, "memory");
}

void read_binding(const po::variables_map& values, LaunchOptions* options) {
  options->threads_per_rank = count(values, "threads-per-rank");
  const auto& bind_to = values["bind-to"].as<std::string>();
  if (bind_to != "auto" && bind_to != "none")
    throw ConfigError(concat("--bind-to: '", bind_to, "'; valid: auto, none"));
  options->binds_ranks = bind_to == "auto";
  if (!options->binds_ranks && options->threads_per_rank == 0) {
    throw ConfigError(
        "--bind-to none: cores are not counted, so that nobody knows how many a rank has; valid: "
        "with --threads-per-rank N");
  }
}

po::variables_map parse(const std::vector<std::string>& arguments) {
  try {
    return read_options(description(), arguments, "argosy-launch");
  } catch (const ConfigError& error) {
    throw ConfigError(concat(error.what(), "; arguments of the trainer stand behind --"));
  }
}

}  // namespace

LaunchOptions parse_options(const std::vector<std::string>& arguments) {
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  const po::variables_map values = parse({arguments.begin(), separator});
  LaunchOptions options;
  options.help = values.contains("help");
  if (options.help) return options;
  if (!values.contains("plan")) {
    throw ConfigError("--plan is missing: the plan.json that `argosy-plan --out` writes");
  }
  options.plan = values["plan"].as<std::string>();
  options.hostfile = text_of(values, "hostfile");
  read_binding(values, &options);
  read_scheduler(values, &options);
  options.dry_run = values["dry-run"].as<bool>();
  if (separator != arguments.end()) {
    options.trainer_arguments.assign(separator + 1, arguments.end());
  }
  return options;
}

std::string launch_usage() {
  return "Usage: argosy-launch --plan plan.json [options] -- <arguments of argosy-train>\n"
         "Starts as many ranks of argosy-train as the plan has, and ends with its exit code.\n\n" +
         help_of(description()) +
         concat("\nExit codes: ", kExitDone, " done, ", kExitFailure, " failed, ", kExitUserError,
                " a mistake in options or files, ", kExitRequeue, " stopped by SIGUSR1,\n",
                "with --max-restarts also by SIGTERM, SIGINT or SIGHUP, and saved.\n",
                "What ends with ", kExitDoNotRequeue, " is not started again.\n");
}

}  // namespace argosy
