// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where the time of a step went.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "planner/spec/ledger.h"
#include "planner/spec/mesh.h"

namespace argosy {

// Seconds of one step; the parts sum to it. Of one rank, or the mean over all ranks.
struct StepParts {
  double compute_s = 0;  // layers, local sums of gradients, and everything that has no other name
  double bubble_s = 0;   // waiting for other pipeline stages: transfers, and the step's end
  std::array<double, kNumAxes> exposed_comm_s{};  // inside the communicator, by axis
  double optimizer_s = 0;                         // the update, without its communication
  double data_s = 0;                              // reading and cutting the samples
  double other_s = 0;  // mean over ranks alone: waiting for the slowest rank's end of the step

  bool operator==(const StepParts&) const = default;
};

double exposed_comm_s(const StepParts& parts);  // over all axes
double total_s(const StepParts& parts);

// "compute", "bubble", "tp", "dp", ..., "optimizer", "data", "other" with their seconds; axes
// without any are left out.
std::vector<std::pair<std::string, double>> named_parts(const StepParts& parts);

// What the cost model tells apart and StepParts does not; for the corrections of the planner.
struct OpParts {
  // Of compute_s, mean over the ranks; what is left of it moved memory.
  double matmul_s = 0, attention_s = 0;
  // Inside the communicator by kind, without pipeline and control traffic, mean over the ranks:
  // waiting for slower ones is in it.
  std::array<double, kNumCollectiveKinds> collective_s{};

  bool operator==(const OpParts&) const = default;
};

// "compute 71%, bubble 6%, comm tp 11% dp 3%, optimizer 5%, data 1%, other 0%".
std::string describe(const StepParts& parts);

// Element by element; for means over steps and ranks.
StepParts sum(const StepParts& a, const StepParts& b);
StepParts scaled(const StepParts& parts, double factor);

// Mean over steps; the first one, which pays for first touches and caches, only counts while there
// is no other.
class MeanParts {
 public:
  void add(const StepParts& parts);
  int64_t num_steps() const { return num_steps_; }
  StepParts value() const;

 private:
  StepParts first_, sum_;
  int64_t num_steps_ = 0;
};

}  // namespace argosy
