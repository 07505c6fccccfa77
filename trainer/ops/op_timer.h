// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include "planner/spec/clock.h"

namespace argosy::ops {

// Adds the seconds of its scope. Two looks at the clock cost about 50 ns, the smallest product 500.
class OpTimer {
 public:
  explicit OpTimer(double& sum_s) : sum_s_(sum_s) {}
  ~OpTimer() { sum_s_ += seconds_since(begin_); }
  OpTimer(const OpTimer&) = delete;
  OpTimer& operator=(const OpTimer&) = delete;

 private:
  double& sum_s_;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace argosy::ops
