// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-checkpoint: looks at checkpoints. Needs neither MPI nor a GPU.
#include <boost/program_options.hpp>
#include <iostream>

#include "checkpoint/commands.h"
#include "checkpoint/hf/export.h"
#include "planner/spec/check.h"

namespace {

namespace po = boost::program_options;
using namespace argosy;  // NOLINT: main.cpp only

constexpr const char* kUsage =
    "argosy-checkpoint COMMAND DIR [options]\n\n"
    "  inspect DIR           what it holds: step, layout, state, tensors; exit 1 when a shard is\n"
    "                        missing or cut (sizes alone are looked at)\n"
    "  verify DIR            reads every byte and checks every CRC; exit 0 when whole, else 1\n"
    "  hash DIR              a hash of each tensor's bits, the same for every layout\n"
    "  diff DIR OTHER        tensors that differ, and by how much; exit 0 when all are equal, else "
    "1\n"
    "  export-hf DIR OUT     a folder of Hugging Face: config.json, model.safetensors\n"
    "  export-adapter DIR OUT  of a LoRA job: a folder of PEFT, to be loaded on the base model\n"
    "  merge DIR OUT         of a LoRA job: as export-hf, adapters added to the weights\n\n"
    "DIR is a checkpoint (step_N), a folder of checkpoints or a run folder: of these the newest\n"
    "checkpoint is taken.\n";

constexpr std::pair<const char*, Export> kExports[] = {
    {"export-hf", Export::model}, {"export-adapter", Export::adapter}, {"merge", Export::merged}};

struct CommandLine {
  std::string command;
  std::vector<std::string> paths;
  TensorFilter filter;
  InspectStyle inspect;
  bool help = false;
};

po::options_description visible_options(CommandLine& line) {
  po::options_description options("Options");
  auto add = options.add_options();
  add("json", po::bool_switch(&line.inspect.as_json), "inspect: print JSON");
  add("all", po::bool_switch(&line.inspect.all_tensors),
      "inspect: list the optimizer's tensors too, instead of their sum");
  add("kind", po::value(&line.filter.kind)->value_name("KIND"),
      "hash, diff: only tensors of this kind (parameter, master, exp_avg, exp_avg_sq)");
  add("ignore", po::value(&line.filter.ignore)->value_name("REGEX"),
      "hash, diff: leave out tensors whose kind/name matches");
  add("help,h", po::bool_switch(&line.help), "print this text");
  return options;
}

CommandLine parse(int argc, char** argv) {
  CommandLine line;
  po::options_description all;
  all.add(visible_options(line));
  all.add_options()("command", po::value(&line.command))("path", po::value(&line.paths));
  po::positional_options_description positions;
  positions.add("command", 1).add("path", -1);
  try {
    po::variables_map values;
    // Abbreviations would change their meaning when options are added.
    const int style =
        po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    po::store(
        po::command_line_parser(argc, argv).options(all).positional(positions).style(style).run(),
        values);
    po::notify(values);
  } catch (const po::error& e) {
    throw ConfigError(concat(e.what(), "; see argosy-checkpoint --help"));
  }
  return line;
}

std::filesystem::path find(const std::string& path) {
  std::string note;
  std::filesystem::path found = find_checkpoint(path, &note);
  if (!note.empty()) std::cerr << note << "\n";
  return found;
}

void require_paths(const CommandLine& line, size_t count) {
  if (line.paths.size() == count) return;
  throw ConfigError(concat(line.command, ": ", line.paths.size(), " paths given, ", count,
                           count == 1 ? " is" : " are", " needed; see argosy-checkpoint --help"));
}

int run(const CommandLine& line) {
  if (line.command == "inspect") {
    require_paths(line, 1);
    return inspect_checkpoint(find(line.paths[0]), line.inspect, std::cout);
  }
  if (line.command == "verify") {
    require_paths(line, 1);
    return report_verification(find(line.paths[0]), std::cout);
  }
  if (line.command == "hash") {
    require_paths(line, 1);
    return print_hashes(find(line.paths[0]), line.filter, std::cout);
  }
  if (line.command == "diff") {
    require_paths(line, 2);
    return compare_checkpoints(find(line.paths[0]), find(line.paths[1]), line.filter, std::cout);
  }
  for (const auto& [command, what] : kExports) {
    if (line.command != command) continue;
    require_paths(line, 2);
    std::cout << export_checkpoint(find(line.paths[0]), what, line.paths[1]) << "\n";
    return kExitDone;
  }
  throw ConfigError(concat(line.command.empty() ? "no command" : "'" + line.command + "'",
                           ": valid commands are inspect, verify, hash, diff, export-hf, ",
                           "export-adapter, merge"));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const CommandLine line = parse(argc, argv);
    if (line.help) {
      CommandLine unused;
      std::cout << kUsage << "\n"
                << visible_options(unused) << "\nExit codes: " << kExitDone << " done, "
                << kExitFailure << " failed, or the answer of a command above, " << kExitUserError
                << " a mistake in\nthe options or files.\n";
      return kExitDone;
    }
    return run(line);
  } catch (const ConfigError& e) {
    std::cerr << "argosy-checkpoint: " << e.what() << "\n";
    return kExitUserError;
  } catch (const std::exception& e) {
    std::cerr << "argosy-checkpoint: " << e.what() << "\n";
    return kExitFailure;
  }
}
