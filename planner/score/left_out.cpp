// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/score/left_out.h"

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

// The runs, and what notes of the same rows tell of other releases.
Runs with_other_releases(const Runs& some, const Runs& all) {
  std::set<std::string> rows;
  for (const PreparedRun* run : some) rows.insert(row_of(run->run));
  Runs more;
  for (PreparedRun* run : all) {
    if (rows.count(row_of(run->run)) > 0) more.push_back(run);
  }
  return more;
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

std::vector<RunScore> leave_folds_out(const Runs& runs, int64_t num_folds,
                                      const Progress& progress) {
  if (num_folds < 2) throw ConfigError(concat("--folds=", num_folds, ": expected 2 or more"));
  std::map<std::string, int64_t> next;     // [stack]
  std::map<std::string, int64_t> fold_of;  // [id of the row]
  for (const PreparedRun* run : runs) {
    if (!run->is_extra) fold_of[row_of(run->run)] = next[run->stack->name]++ % num_folds;
  }
  std::vector<RunScore> scores;
  for (int64_t fold = 0; fold < num_folds; ++fold) {
    Runs held, others;
    for (PreparedRun* run : runs) {
      (fold_of.at(row_of(run->run)) == fold ? held : others).push_back(run);
    }
    append(predict_all(held, fit_stacks(others)), scores);
    if (progress) progress(concat("fold ", fold + 1, " of ", num_folds));
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
    for (const auto& [model, own] : models) {
      const Runs held = with_other_releases(own, runs);
      Runs others;
      for (const auto& [other, more] : models) {
        if (other != model) others.insert(others.end(), more.begin(), more.end());
      }
      append(predict_all(own, fit_stacks(others, fit_any_without(held, runs, any))), scores);
    }
    if (progress) progress(concat(stack, ": ", models.size(), " models"));
  }
  return scores;
}

}  // namespace argosy
