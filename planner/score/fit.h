// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Fits the numbers of stack profiles to measured runs: few numbers, held back at three levels. Runs
// on an accelerator share numbers near 1 ("any"); a stack deviates from them by the same factors on
// all its accelerators; on each accelerator it deviates from that by a little more.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "planner/score/score.h"

namespace argosy {

using Runs = std::vector<PreparedRun*>;
using Numbers = std::map<std::string, StackFit>;  // by stack

// Numbers for every accelerator of the runs: those of "any".
Numbers fit_any(const Runs& runs);
// The same without some of the runs. `known`, of all runs, stands for accelerators that none of
// them is on.
Numbers fit_any_without(const Runs& held, const Runs& runs, const Numbers& known);

// Numbers for every stack and accelerator of the runs, and those of "any".
Numbers fit_stacks(const Runs& runs);
// The same with numbers of "any" that are known: of every accelerator of the runs.
Numbers fit_stacks(const Runs& runs, const Numbers& any);

// What a profile file with these numbers says of a run.
StackNumbers numbers_for(const Numbers& numbers, const PreparedRun& run);

}  // namespace argosy
