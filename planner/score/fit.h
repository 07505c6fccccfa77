// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Fits the numbers of stack profiles to measured runs. Few numbers, held back by a prior: those
// that all runs on the same accelerator share.
#pragma once

#include <vector>

#include "planner/score/score.h"

namespace argosy {

// Numbers that make sum |error| + prior's pull over the runs least, found by a search along each
// number in turn. `prior`: where no run says otherwise. `pull`: what a deviation by a factor e
// costs, in rows that are off by 100%.
enum class NumberSet {
  of_accelerator,  // all but host_op_s
  plain,           // all but low_precision_share
  low_precision,   // all but host_op_s, attention_share or matmul_share, whichever helps least
};
StackNumbers fit(const std::vector<PreparedRun*>& runs, const StackNumbers& prior, double pull,
                 NumberSet set);

}  // namespace argosy
