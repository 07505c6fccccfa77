// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-fit-stacks CONFIGS RUNS.csv... [--cross-validate] [--write]: fits the numbers of
// configs/stacks to tables of published runs, and says how well runs that were left out of the fit
// are predicted. README.md of this folder tells how.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <set>

#include "planner/score/fit.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace {

using namespace argosy;  // NOLINT: the program is a part of it

constexpr double kPull = 0.3;       // of a stack's numbers to those of its accelerator
constexpr double kFirstPull = 3.0;  // of an accelerator's numbers to 1
// For what all stacks share: no stack has more than this many runs in it.
constexpr size_t kMostRunsOfStack = 60;

using Runs = std::vector<PreparedRun*>;
using Numbers = std::map<std::string, std::map<std::string, StackNumbers>>;  // stack, accelerator

std::string accelerator_of(const PreparedRun& run) {
  return run.configurations.front().job.cluster.accelerator.name;
}

NumberSet number_set(const Runs& runs) {
  const bool is_low = std::any_of(runs.begin(), runs.end(), [](PreparedRun* run) {
    return run->configurations.front().job.stack.format != ProductFormat::bf16;
  });
  return is_low ? NumberSet::low_precision : NumberSet::plain;
}

Runs thinned(const Runs& runs) {
  std::map<std::string, Runs> by_stack;
  for (PreparedRun* run : runs) by_stack[run->stack->name].push_back(run);
  Runs few;
  for (const auto& [name, own] : by_stack) {
    const size_t step = (own.size() + kMostRunsOfStack - 1) / kMostRunsOfStack;
    for (size_t i = 0; i < own.size(); i += step) few.push_back(own[i]);
  }
  return few;
}

std::vector<RunScore> predict_all(const Runs& runs, const StackNumbers& numbers) {
  std::vector<RunScore> scores;
  for (PreparedRun* run : runs) scores.push_back(predict(*run, numbers));
  return scores;
}

void append(std::vector<RunScore>& rows, std::vector<RunScore> more) {
  rows.insert(rows.end(), std::make_move_iterator(more.begin()),
              std::make_move_iterator(more.end()));
}

// Errors of each part of the runs with numbers fitted to the others.
std::vector<RunScore> cross_validate(const std::map<std::string, Runs>& parts,
                                     const StackNumbers& prior) {
  std::vector<RunScore> scores;
  for (const auto& [name, held] : parts) {
    Runs others;
    for (const auto& [other, runs] : parts) {
      if (other != name) others.insert(others.end(), runs.begin(), runs.end());
    }
    append(scores, predict_all(held, fit(others, prior, kPull, number_set(held))));
  }
  return scores;
}

std::map<std::string, Runs> by_model(const Runs& runs) {
  std::map<std::string, Runs> parts;
  for (PreparedRun* run : runs) parts[run->run.model_name].push_back(run);
  return parts;
}

// Every other row: what to expect of more rows of the same sources.
std::map<std::string, Runs> halves(const Runs& runs) {
  std::map<std::string, Runs> parts;
  for (size_t i = 0; i < runs.size(); ++i) parts[i % 2 == 0 ? "even" : "odd"].push_back(runs[i]);
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

void write_numbers(const std::string& configs, const Numbers& fitted) {
  for (const auto& [stack, accelerators] : fitted) {
    const std::string path = configs + "/stacks/" + stack + ".json";
    Json json = parse_json(read_text_file(path), path);
    for (const auto& [name, numbers] : accelerators) {
      json["accelerators"][name] = numbers_json(numbers);
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

struct Scores {
  std::vector<RunScore> fitted, models_out, halves_out;
};

Numbers fit_all(std::vector<PreparedRun>& prepared, bool cross_validates, Scores& scores) {
  std::map<std::string, Runs> by_accelerator;
  std::map<std::string, std::map<std::string, Runs>> by_stack;
  for (PreparedRun& run : prepared) {
    by_accelerator[accelerator_of(run)].push_back(&run);
    by_stack[run.stack->name][accelerator_of(run)].push_back(&run);
  }
  Numbers fitted;
  std::map<std::string, StackNumbers>& any = fitted["any"];
  any["other"] = StackNumbers{};
  for (const auto& [accelerator, runs] : by_accelerator) {
    // What hosts take is not the accelerator's: left at its default.
    any[accelerator] = fit(thinned(runs), StackNumbers{}, kFirstPull, NumberSet::of_accelerator);
  }
  for (const auto& [stack, accelerators] : by_stack) {
    for (const auto& [accelerator, runs] : accelerators) {
      const StackNumbers prior = any[accelerator];
      const StackNumbers numbers = fit(runs, prior, kPull, number_set(runs));
      if (stack != "any") fitted[stack][accelerator] = numbers;
      append(scores.fitted, predict_all(runs, numbers));
      std::cerr << stack << ", " << accelerator << ": " << numbers_json(numbers).dump() << "\n";
      if (!cross_validates) continue;
      append(scores.models_out, cross_validate(by_model(runs), prior));
      append(scores.halves_out, cross_validate(halves(runs), prior));
    }
  }
  return fitted;
}

int run(const std::vector<std::string>& paths, const std::set<std::string>& flags) {
  const ScoreFiles files = read_score_files(paths.front());
  std::vector<PreparedRun> prepared = prepare_all({paths.begin() + 1, paths.end()}, files);
  Scores scores;
  const bool cross_validates = flags.count("--cross-validate") > 0;
  const Numbers fitted = fit_all(prepared, cross_validates, scores);
  std::cout << "fitted:\n" << score_text(summarize(scores.fitted));
  if (cross_validates) {
    std::cout << "\nmodels left out:\n" << score_text(summarize(scores.models_out));
    std::cout << "\nevery other row left out:\n" << score_text(summarize(scores.halves_out));
  }
  if (flags.count("--write") > 0) write_numbers(paths.front(), fitted);
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
          "usage: argosy-fit-stacks CONFIGS RUNS.csv... [--cross-validate] [--write]");
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
