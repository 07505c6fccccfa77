// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/options.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <sstream>

#include "planner/spec/check.h"

namespace argosy {

namespace {

namespace po = boost::program_options;

po::options_description description() {
  po::options_description options("Options");
  auto add = options.add_options();
  add("plan", po::value<std::string>(), "plan.json, as argosy-plan wrote it");
  add("hostfile", po::value<std::string>(), "machines, a line each: name slots=N");
  add("threads-per-rank", po::value<int64_t>(),
      "cores and OpenMP threads of a rank; else the cores of the machine / its ranks");
  add("scheduler", po::value<std::string>()->default_value("mpirun"),
      "mpirun: starts the ranks; slurm: submits a batch job that does");
  add("ranks-per-node", po::value<int64_t>(), "with slurm: devices of a node");
  add("sbatch", po::value<std::vector<std::string>>(),
      "with slurm: an option of sbatch, as partition=gpu or time=24:00:00; can be repeated");
  add("max-restarts", po::value<int>()->default_value(0),
      "with slurm: how often a job that failed goes on from its newest checkpoint");
  add("dry-run", po::bool_switch(), "print the command or the script instead of running it");
  add("help,h", "this text");
  return options;
}

Scheduler scheduler_of(const po::variables_map& values) {
  const auto& scheduler = values["scheduler"].as<std::string>();
  if (scheduler == "mpirun") return Scheduler::mpirun;
  if (scheduler == "slurm") return Scheduler::slurm;
  if (scheduler == "kubernetes") {
    throw ConfigError("--scheduler kubernetes: not supported yet; valid: mpirun, slurm");
  }
  throw ConfigError(concat("--scheduler: '", scheduler, "'; valid: mpirun, slurm"));
}

int64_t count(const po::variables_map& values, const char* key) {
  if (!values.contains(key)) return 0;
  const auto value = values[key].as<int64_t>();
  if (value < 1) throw ConfigError(concat("--", key, ": ", value, " must be at least 1"));
  return value;
}

void read_scheduler(const po::variables_map& values, LaunchOptions* options) {
  options->scheduler = scheduler_of(values);
  options->ranks_per_node = count(values, "ranks-per-node");
  options->max_restarts = values["max-restarts"].as<int>();
  if (options->max_restarts < 0) {
    throw ConfigError(concat("--max-restarts: ", options->max_restarts, " must not be negative"));
  }
  if (values.contains("sbatch")) options->sbatch = values["sbatch"].as<std::vector<std::string>>();
  for (const std::string& option : options->sbatch) {
    if (option.empty() || option[0] == '-' || option.find('\n') != std::string::npos) {
      throw ConfigError(
          concat("--sbatch: '", option, "'; valid: an option without dashes, as time=24:00:00"));
    }
  }
  if (options->scheduler == Scheduler::slurm) {
    if (options->hostfile.empty()) return;
    throw ConfigError("--hostfile: Slurm chooses the nodes; valid: --sbatch nodelist=...");
  }
  if (options->max_restarts > 0) {
    throw ConfigError(concat("--max-restarts ", options->max_restarts,
                             ": not supported yet with mpirun; start again with --resume auto "
                             "behind --"));
  }
  for (const char* key : {"ranks-per-node", "sbatch"}) {
    if (values.contains(key)) throw ConfigError(concat("--", key, ": only with --scheduler slurm"));
  }
}

po::variables_map parse(const std::vector<std::string>& arguments) {
  po::variables_map values;
  try {
    // An empty positional list: a stray word is an error, not an argument that gets lost.
    const po::positional_options_description no_positions;
    po::store(
        po::command_line_parser(arguments)
            .options(description())
            .positional(no_positions)
            .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
            .run(),
        values);
  } catch (const po::error& error) {
    throw ConfigError(
        concat(error.what(), "; arguments of the trainer stand behind --, see --help"));
  }
  return values;
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
  if (values.contains("hostfile")) options.hostfile = values["hostfile"].as<std::string>();
  options.threads_per_rank = count(values, "threads-per-rank");
  read_scheduler(values, &options);
  options.dry_run = values["dry-run"].as<bool>();
  if (separator != arguments.end()) {
    options.trainer_arguments.assign(separator + 1, arguments.end());
  }
  return options;
}

std::string launch_usage() {
  std::ostringstream text;
  text << "Usage: argosy-launch --plan plan.json [options] -- <arguments of argosy-train>\n"
       << "Starts as many ranks of argosy-train as the plan has, and ends with its exit code.\n\n"
       << description();
  return text.str();
}

}  // namespace argosy
