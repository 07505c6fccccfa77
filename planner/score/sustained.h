// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What share of its rates an accelerator keeps through training steps (Accelerator::
// sustained_share), from published runs of dense models in 16 bits: each op by itself as the
// trainer runs it, traffic as the run's framework has it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "planner/score/fit.h"

namespace argosy {

struct SourceShare {
  std::string source;  // group of the rows
  int64_t num_runs = 0;
  bool hides_traffic = false;  // the framework does; what it hides is an estimate of its profile
  double share = 0;            // at which the mean error of its runs is 0
};

struct SustainedShare {
  std::vector<SourceShare> sources;  // ascending share
  // The median of the sources with two runs and more: those whose framework hides no traffic, as
  // the trainer does, else all; 0: there is none.
  double share = 0;
};

// By accelerator's name.
std::map<std::string, SustainedShare> sustained_shares(const Runs& runs);

}  // namespace argosy
