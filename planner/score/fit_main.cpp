// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-fit-stacks CONFIGS RUNS.csv... [--folds=K] [--models] [--json] [--write[=STACK,...]]
// [--sustained]: fits the numbers of configs/stacks to tables of published runs, and says how well
// runs that were left out of the fit are predicted. README.md of this folder tells how.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <set>

#include "planner/score/left_out.h"
#include "planner/score/sustained.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"
#include "planner/spec/number_text.h"

namespace {

using namespace argosy;  // NOLINT: the program is a part of it

const std::string kWrite = "--write", kFolds = "--folds=";
constexpr const char* kUsage =
    "usage: argosy-fit-stacks CONFIGS RUNS.csv... [--folds=K]... [--models] [--json]\n"
    "                         [--write[=STACK,...]] [--sustained]";

constexpr const char* kHelp =
    "Fits the numbers of the profiles in CONFIGS/stacks to tables of published runs,\n"
    "and says how far predictions are off.\n"
    "  --folds=K       also with every row left out of the fit, in K parts\n"
    "  --models        also with one model on one accelerator left out at a time\n"
    "  --json          an object a line, with every row\n"
    "  --write         the numbers into the profiles' files, or those of some: --write=STACK,...\n"
    "  --sustained     instead: what share of its rates each accelerator sustains\n"
    "  --help          this text\n";

// Three digits: more would claim more than the runs say.
double rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return std::stod(text);
}

Json numbers_json(const StackNumbers& n, const StackNumbers& plain) {
  Json json = {{"matmul_share", rounded(n.matmul_share)},
               {"attention_share", rounded(n.attention_share)},
               {"memory_share", rounded(n.memory_share)},
               {"link_share", rounded(n.link_share)}};
  if (n.host_op_s != plain.host_op_s) json["host_op_s"] = rounded(n.host_op_s);
  if (n.low_precision_share != plain.low_precision_share) {
    json["low_precision_share"] = rounded(n.low_precision_share);
  }
  return json;
}

// `list`: names with commas between; empty: all stacks.
void write_numbers(const std::string& configs, const std::vector<StackProfile>& stacks,
                   const Numbers& fitted, const std::string& list) {
  for (const StackProfile& stack : stacks) {
    if (!list.empty() && ("," + list + ",").find("," + stack.name + ",") == std::string::npos)
      continue;
    const std::string path = configs + "/stacks/" + stack.name + ".json";
    Json json = parse_json(read_text_file(path), path);
    json["accelerators"] = Json::object();
    json.erase("of_any");
    if (const auto own = fitted.find(stack.name); own != fitted.end()) {
      for (const auto& [name, numbers] : own->second.accelerators) {
        json["accelerators"][name] = numbers_json(numbers, StackNumbers{});
      }
      if (stack.name != kAnyStack) json["of_any"] = numbers_json(own->second.of_any, kNoFactors);
    }
    write_text_file(path, json.dump(2) + "\n");
  }
}

std::vector<PublishedRun> read_runs(const std::vector<std::string>& tables) {
  std::vector<PublishedRun> all;
  for (const std::string& table : tables) {
    std::vector<PublishedRun> runs = published_runs(parse_csv(read_text_file(table), table));
    all.insert(all.end(), std::make_move_iterator(runs.begin()),
               std::make_move_iterator(runs.end()));
  }
  return all;
}

void print_sustained(const std::map<std::string, SustainedShare>& shares) {
  for (const auto& [accelerator, all] : shares) {
    std::cout << accelerator << ": "
              << (all.share > 0 ? std::to_string(all.share) : "no source of two runs") << "\n";
    for (const SourceShare& source : all.sources) {
      std::cout << "  " << source.share << "  " << source.source << ", " << source.num_runs
                << " runs" << (source.hides_traffic ? ", traffic hidden" : "") << "\n";
    }
  }
}

void tell(const std::string& progress) {
  std::cerr << progress << "\n";
}

// JSON: an object a line, with every row.
void print_score(const std::string& what, const Score& score, bool as_json) {
  if (as_json) {
    std::cout << Json{{what, parse_json(score_json(score), what)}}.dump() << "\n";
  } else {
    std::cout << what << ":\n" << score_text(score) << "\n";
  }
}

int64_t num_folds(const std::string& flag) {
  const std::string text = flag.substr(kFolds.size());
  const int64_t folds = number_in<int64_t>(text).value_or(0);
  if (folds < 2) {
    throw ConfigError(concat(kFolds, text, ": expected a whole number of 2 or more"));
  }
  return folds;
}

// Throws ConfigError for a flag that is none.
void check_flags(const std::set<std::string>& flags) {
  for (const std::string& flag : flags) {
    const bool is_known = flag == "--models" || flag == "--json" || flag == "--sustained" ||
                          flag == kWrite || flag.starts_with(kWrite + "=") ||
                          flag.starts_with(kFolds);
    if (!is_known) throw ConfigError(concat("unknown option '", flag, "'\n", kUsage));
    if (flag.starts_with(kFolds)) num_folds(flag);
  }
}

int run(const std::vector<std::string>& paths, const std::set<std::string>& flags) {
  const ScoreFiles files = read_score_files(paths.front());
  std::vector<PreparedRun> prepared =
      prepare_all(read_runs({paths.begin() + 1, paths.end()}), files);
  Runs runs;
  for (PreparedRun& run : prepared) runs.push_back(&run);
  if (flags.count("--sustained") > 0) {
    runs.erase(std::remove_if(runs.begin(), runs.end(),
                              [](const PreparedRun* run) { return run->is_extra; }),
               runs.end());
    print_sustained(sustained_shares(runs));
    return kExitDone;
  }
  const Numbers fitted = fit_stacks(runs);
  const bool as_json = flags.count("--json") > 0;
  print_score("fitted", summarize(predict_all(runs, fitted)), as_json);
  for (const std::string& flag : flags) {
    if (!flag.starts_with(kFolds)) continue;
    const int64_t folds = num_folds(flag);
    print_score(concat("rows left out, in ", folds, " folds"),
                summarize(leave_folds_out(runs, folds, tell)), as_json);
  }
  if (flags.count("--models") > 0) {
    print_score("models left out, one at a time", summarize(leave_models_out(runs, tell)), as_json);
  }
  for (const std::string& flag : flags) {
    if (!flag.starts_with(kWrite)) continue;
    const std::string list = flag == kWrite ? "" : flag.substr(kWrite.size() + 1);
    write_numbers(paths.front(), files.stacks, fitted, list);
  }
  return kExitDone;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<std::string> paths;
    std::set<std::string> flags;
    for (const std::string& argument : std::vector<std::string>(argv + 1, argv + argc)) {
      if (argument.starts_with("--")) {
        flags.insert(argument);
      } else {
        paths.push_back(argument);
      }
    }
    if (flags.count("--help") > 0) {
      std::cout << kUsage << "\n" << kHelp;
      return kExitDone;
    }
    if (paths.size() < 2) throw ConfigError(kUsage);
    check_flags(flags);
    return run(paths, flags);
  } catch (const ConfigError& error) {
    std::cerr << "argosy-fit-stacks: " << error.what() << "\n";
    return kExitUserError;
  } catch (const std::exception& error) {
    std::cerr << "argosy-fit-stacks: " << error.what() << "\n";
    return kExitFailure;
  }
}
