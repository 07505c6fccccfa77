// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// argosy-fit-stacks CONFIGS RUNS.csv [--write]: fits the numbers of configs/stacks to a table of
// published runs, and says how well runs of models that were left out are predicted. README.md of
// this folder tells how.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <set>

#include "planner/score/fit.h"
#include "planner/spec/check.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace {

using namespace argosy;  // NOLINT: the program is a part of it

constexpr double kPull = 0.3;       // of a stack's numbers to those of its accelerator
constexpr double kFirstPull = 3.0;  // of an accelerator's numbers to 1

using Runs = std::vector<const PreparedRun*>;

std::string accelerator_of(const PreparedRun& run) {
  return run.configurations.front().job.cluster.accelerator.name;
}

NumberSet number_set(const Runs& runs) {
  const bool is_low = std::any_of(runs.begin(), runs.end(), [](const PreparedRun* run) {
    return run->configurations.front().format != ProductFormat::bf16;
  });
  return is_low ? NumberSet::low_precision : NumberSet::plain;
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

// Errors of runs whose model was left out of the fit.
std::vector<RunScore> cross_validate(const Runs& runs, const StackNumbers& prior) {
  std::set<std::string> models;
  for (const PreparedRun* run : runs) models.insert(run->run.model_name);
  std::vector<RunScore> scores;
  for (const std::string& model : models) {
    Runs others, held;
    for (const PreparedRun* run : runs) {
      (run->run.model_name == model ? held : others).push_back(run);
    }
    const StackNumbers numbers = fit(others, prior, kPull, number_set(runs));
    for (const PreparedRun* run : held) scores.push_back(predict(*run, numbers));
  }
  return scores;
}

void write_numbers(const std::string& path, const std::map<std::string, StackNumbers>& numbers) {
  Json json = parse_json(read_text_file(path), path);
  for (const auto& [name, value] : numbers) json["accelerators"][name] = numbers_json(value);
  write_text_file(path, json.dump(2) + "\n");
}

int run(const std::string& configs, const std::string& table, bool cross_validates, bool writes) {
  const ScoreFiles files = read_score_files(configs);
  std::vector<PreparedRun> prepared;
  for (const PublishedRun& run : published_runs(parse_csv(read_text_file(table), table))) {
    prepared.push_back(prepare(run, files));
  }
  std::map<std::string, Runs> by_accelerator;
  std::map<std::string, std::map<std::string, Runs>> by_stack;
  for (const PreparedRun& run : prepared) {
    if (!run.reason.empty() || run.measured_s.front() <= 0) continue;
    by_accelerator[accelerator_of(run)].push_back(&run);
    by_stack[run.stack->name][accelerator_of(run)].push_back(&run);
  }
  std::map<std::string, std::map<std::string, StackNumbers>> fitted;
  for (const auto& [accelerator, runs] : by_accelerator) {
    // What hosts take is not the accelerator's: left at its default.
    fitted["any"][accelerator] = fit(runs, StackNumbers{}, kFirstPull, NumberSet::of_accelerator);
  }
  fitted["any"]["other"] = StackNumbers{};
  std::vector<RunScore> in_sample, held_out;
  for (const auto& [stack, accelerators] : by_stack) {
    for (const auto& [accelerator, runs] : accelerators) {
      const StackNumbers& prior = fitted["any"][accelerator];
      const StackNumbers numbers = fit(runs, prior, kPull, number_set(runs));
      fitted[stack][accelerator] = numbers;
      std::vector<RunScore> own;
      for (const PreparedRun* run : runs) own.push_back(predict(*run, numbers));
      std::vector<RunScore> left_out;
      if (cross_validates) left_out = cross_validate(runs, prior);
      in_sample.insert(in_sample.end(), own.begin(), own.end());
      held_out.insert(held_out.end(), left_out.begin(), left_out.end());
      const ErrorStatistics a = summarize(own).total.errors, b = summarize(left_out).total.errors;
      std::printf("%-22s %-26s n %3d  fitted %5.1f%%  by model %5.1f%%  %s\n", stack.c_str(),
                  accelerator.c_str(), static_cast<int>(a.n), 100 * a.mape, 100 * b.mape,
                  numbers_json(numbers).dump().c_str());
      std::fflush(stdout);
    }
  }
  std::cout << "\nfitted:\n"
            << score_text(summarize(in_sample)) << "\nmodels left out:\n"
            << score_text(summarize(held_out));
  if (!writes) return kExitDone;
  for (const auto& [stack, numbers] : fitted) {
    write_numbers(configs + "/stacks/" + stack + ".json", numbers);
  }
  return kExitDone;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::set<std::string> flags(argv + std::min(argc, 3), argv + argc);
    if (argc < 3) {
      throw ConfigError("usage: argosy-fit-stacks CONFIGS RUNS.csv [--cross-validate] [--write]");
    }
    return run(argv[1], argv[2], flags.count("--cross-validate") > 0, flags.count("--write") > 0);
  } catch (const ConfigError& error) {
    std::cerr << "argosy-fit-stacks: " << error.what() << "\n";
    return kExitUserError;
  } catch (const std::exception& error) {
    std::cerr << "argosy-fit-stacks: " << error.what() << "\n";
    return kExitFailure;
  }
}
