// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/left_out.h"

#include <array>
#include <iterator>
#include <map>
#include <set>

#include "planner/score/other_releases.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

bool has_step(const PreparedRun& run) {
  return run.reason.empty() && run.measured_s.front() > 0;
}

void append(std::vector<RunScore> more, std::vector<RunScore>& scores) {
  scores.insert(scores.end(), std::make_move_iterator(more.begin()),
                std::make_move_iterator(more.end()));
}

}  // namespace

std::vector<PreparedRun> prepare_all(const std::vector<PublishedRun>& runs,
                                     const ScoreFiles& files) {
  std::vector<PreparedRun> prepared;
  for (const PublishedRun& run : runs) {
    PreparedRun ready = prepare(run, files);
    if (!has_step(ready)) continue;
    std::set<const StackProfile*> stacks = {ready.stack};
    prepared.push_back(std::move(ready));
    for (const PublishedRun& other : other_releases(run)) {
      PreparedRun extra = prepare(other, files);
      if (!has_step(extra) || !stacks.insert(extra.stack).second) continue;
      extra.is_extra = true;
      prepared.push_back(std::move(extra));
    }
  }
  return prepared;
}

std::vector<RunScore> predict_all(const Runs& runs, const Numbers& numbers) {
  std::vector<RunScore> scores;
  for (PreparedRun* run : runs) {
    if (!run->is_extra) scores.push_back(predict(*run, numbers_for(numbers, *run)));
  }
  return scores;
}

std::vector<RunScore> leave_halves_out(const Runs& runs, const Progress& progress) {
  std::array<Runs, 2> parts;
  std::map<std::string, size_t> next, next_extra;
  for (PreparedRun* run : runs) {
    auto& count = run->is_extra ? next_extra : next;
    parts[count[run->stack->name]++ % parts.size()].push_back(run);
  }
  std::vector<RunScore> scores;
  for (size_t held = 0; held < parts.size(); ++held) {
    append(predict_all(parts[held], fit_stacks(parts[1 - held])), scores);
    if (progress) progress(concat("half ", held + 1));
  }
  return scores;
}

std::vector<RunScore> leave_models_out(const Runs& runs, const Progress& progress) {
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
      append(predict_all(own, fit_stacks(others, any)), scores);
    }
    if (progress) progress(concat(stack, ": ", models.size(), " models"));
  }
  return scores;
}

}  // namespace argosy
