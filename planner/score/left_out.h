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

// Every other row of a stack with numbers fitted to the others: what to expect of more rows of the
// same sources.
std::vector<RunScore> leave_halves_out(const Runs& runs, const Progress& progress = {});

// Each model on an accelerator with the numbers of its stack fitted to the stack's other ones: what
// to expect of models and accelerators that nobody has run with a stack. Stacks with one of them
// alone are left out: nothing would be left to fit.
std::vector<RunScore> leave_models_out(const Runs& runs, const Progress& progress = {});

}  // namespace argosy
