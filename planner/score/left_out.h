// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How well runs are predicted that a fit has not seen.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "planner/score/fit.h"

namespace argosy {

using Progress = std::function<void(const std::string&)>;

// Rows with a measured step, each followed by those that its notes add (other_releases()): of every
// other profile the newest release.
std::vector<PreparedRun> prepare_all(const std::vector<PublishedRun>& runs,
                                     const ScoreFiles& files);

// Those that stand in a table; runs of notes are fitted to and not counted.
std::vector<RunScore> predict_all(const Runs& runs, const Numbers& numbers);

// The rows of each stack dealt to `num_folds` in turn, each fold with numbers fitted to the other
// ones: what to expect of more rows of the same sources and models. What a row's notes tell of
// other releases is left out with it. Throws ConfigError for less than 2 folds.
std::vector<RunScore> leave_folds_out(const Runs& runs, int64_t num_folds,
                                      const Progress& progress = {});

// Each model on an accelerator with the numbers of its stack fitted to the stack's other ones, and
// those of "any" to all runs but its: what to expect of models and accelerators that nobody has run
// with a stack. Stacks with one of them alone are left out: nothing would be left to fit.
std::vector<RunScore> leave_models_out(const Runs& runs, const Progress& progress = {});

}  // namespace argosy
