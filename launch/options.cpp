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
  options.add_options()("plan", po::value<std::string>(), "plan.json, as argosy-plan wrote it")(
      "hostfile", po::value<std::string>(), "machines, a line each: name slots=N")(
      "threads-per-rank", po::value<int64_t>(),
      "cores and OpenMP threads of a rank; else the cores of the machine / its ranks")(
      "scheduler", po::value<std::string>()->default_value("mpirun"), "mpirun")(
      "max-restarts", po::value<int>()->default_value(0), "after a failure; 0 is supported so far")(
      "dry-run", po::bool_switch(), "print the command instead of running it")("help,h",
                                                                               "this text");
  return options;
}

// What the options ask for and this version cannot do yet.
void refuse_unsupported(const po::variables_map& values) {
  const auto& scheduler = values["scheduler"].as<std::string>();
  if (scheduler == "slurm" || scheduler == "kubernetes") {
    throw ConfigError(concat("--scheduler ", scheduler, ": not supported yet; mpirun is"));
  }
  if (scheduler != "mpirun") {
    throw ConfigError(concat("--scheduler: '", scheduler, "' is not one of mpirun, slurm, ",
                             "kubernetes (the last two are not supported yet)"));
  }
  const int max_restarts = values["max-restarts"].as<int>();
  if (max_restarts < 0) {
    throw ConfigError(concat("--max-restarts: ", max_restarts, " must not be negative"));
  }
  if (max_restarts > 0) {
    throw ConfigError(concat("--max-restarts ", max_restarts,
                             ": not supported yet; start again with --resume auto behind --"));
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
  refuse_unsupported(values);
  if (!values.contains("plan")) {
    throw ConfigError("--plan is missing: the plan.json that `argosy-plan --out` writes");
  }
  options.plan = values["plan"].as<std::string>();
  if (values.contains("hostfile")) options.hostfile = values["hostfile"].as<std::string>();
  if (values.contains("threads-per-rank")) {
    options.threads_per_rank = values["threads-per-rank"].as<int64_t>();
    if (options.threads_per_rank < 1) {
      throw ConfigError(
          concat("--threads-per-rank: ", options.threads_per_rank, " must be at least 1"));
    }
  }
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
