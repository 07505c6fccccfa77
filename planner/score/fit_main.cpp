// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-fit-stacks CONFIGS RUNS.csv... [--halves] [--models] [--write[=STACK,...]] [--sustained]:
// fits the numbers of configs/stacks to tables of published runs, and says how well runs that were
// left out of the fit are predicted. README.md of this folder tells how.
#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <set>

#include "planner/score/fit.h"
#include "planner/score/sustained.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace {

using namespace argosy;  // NOLINT: the program is a part of it

const std::string kWrite = "--write";

std::vector<RunScore> predict_all(const Runs& runs, const Numbers& numbers) {
  std::vector<RunScore> scores;
  for (PreparedRun* run : runs) scores.push_back(predict(*run, numbers_for(numbers, *run)));
  return scores;
}

// Errors of each part of the runs with numbers, those of all levels, fitted to the others.
std::vector<RunScore> cross_validate(const std::vector<Runs>& parts) {
  std::vector<RunScore> scores;
  for (size_t held = 0; held < parts.size(); ++held) {
    Runs others;
    for (size_t part = 0; part < parts.size(); ++part) {
      if (part != held) others.insert(others.end(), parts[part].begin(), parts[part].end());
    }
    std::vector<RunScore> more = predict_all(parts[held], fit_stacks(others));
    scores.insert(scores.end(), std::make_move_iterator(more.begin()),
                  std::make_move_iterator(more.end()));
    std::cerr << "part " << held + 1 << " of " << parts.size() << "\n";
  }
  return scores;
}

// Each model on an accelerator with the numbers of its stack fitted to the stack's other ones: what
// to expect of models and accelerators that nobody has run with a stack. Stacks with one of them
// alone are left out: nothing would be left to fit.
std::vector<RunScore> leave_models_out(const Runs& runs) {
  const Numbers any = fit_any(runs);
  std::map<std::string, std::map<std::string, Runs>> stacks;
  for (PreparedRun* run : runs) {
    const std::string& accelerator = run->configurations.front().job.cluster.accelerator.name;
    stacks[run->stack->name][concat(run->run.model_name, " on ", accelerator)].push_back(run);
  }
  std::vector<RunScore> scores;
  for (const auto& [stack, models] : stacks) {
    if (models.size() < 2) continue;
    for (const auto& [held, own] : models) {
      Runs others;
      for (const auto& [model, more] : models) {
        if (model != held) others.insert(others.end(), more.begin(), more.end());
      }
      std::vector<RunScore> more = predict_all(own, fit_stacks(others, any));
      scores.insert(scores.end(), std::make_move_iterator(more.begin()),
                    std::make_move_iterator(more.end()));
    }
    std::cerr << stack << ": " << models.size() << " models\n";
  }
  return scores;
}

// Every other row of a stack: what to expect of more rows of the same sources.
std::vector<Runs> halves(const Runs& runs) {
  std::vector<Runs> parts(2);
  std::map<std::string, size_t> next;
  for (PreparedRun* run : runs) parts[next[run->stack->name]++ % 2].push_back(run);
  return parts;
}

// Three digits: more would claim more than the runs say.
double rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return std::stod(text);
}

Json numbers_json(const StackNumbers& n) {
  Json json = {{"matmul_share", rounded(n.matmul_share)},
               {"attention_share", rounded(n.attention_share)},
               {"memory_share", rounded(n.memory_share)},
               {"link_share", rounded(n.link_share)}};
  const StackNumbers plain;
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
    if (const auto own = fitted.find(stack.name); own != fitted.end()) {
      for (const auto& [name, numbers] : own->second) {
        json["accelerators"][name] = numbers_json(numbers);
      }
    }
    write_text_file(path, json.dump(2) + "\n");
  }
}

std::vector<PreparedRun> prepare_all(const std::vector<std::string>& tables,
                                     const ScoreFiles& files) {
  std::vector<PreparedRun> prepared;
  for (const std::string& table : tables) {
    for (const PublishedRun& run : published_runs(parse_csv(read_text_file(table), table))) {
      PreparedRun ready = prepare(run, files);
      if (ready.reason.empty() && ready.measured_s.front() > 0) prepared.push_back(ready);
    }
  }
  return prepared;
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

int run(const std::vector<std::string>& paths, const std::set<std::string>& flags) {
  const ScoreFiles files = read_score_files(paths.front());
  std::vector<PreparedRun> prepared = prepare_all({paths.begin() + 1, paths.end()}, files);
  Runs runs;
  for (PreparedRun& run : prepared) runs.push_back(&run);
  if (flags.count("--sustained") > 0) {
    print_sustained(sustained_shares(runs));
    return kExitDone;
  }
  const Numbers fitted = fit_stacks(runs);
  std::cout << "fitted:\n" << score_text(summarize(predict_all(runs, fitted)));
  if (flags.count("--halves") > 0) {
    std::cout << "\nevery other row left out:\n"
              << score_text(summarize(cross_validate(halves(runs))));
  }
  if (flags.count("--models") > 0) {
    std::cout << "\nmodels left out, one at a time:\n"
              << score_text(summarize(leave_models_out(runs)));
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
    if (paths.size() < 2) {
      throw ConfigError(
          "usage: argosy-fit-stacks CONFIGS RUNS.csv... [--halves] [--models] "
          "[--write[=STACK,...]]");
    }
    return run(paths, flags);
  } catch (const ConfigError& error) {
    std::cerr << "argosy-fit-stacks: " << error.what() << "\n";
    return kExitUserError;
  } catch (const std::exception& error) {
    std::cerr << "argosy-fit-stacks: " << error.what() << "\n";
    return kExitFailure;
  }
}
