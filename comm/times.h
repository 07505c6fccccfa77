// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// When this rank communicated, and for how long it could do nothing else: what a recording
// communicator measures beside the ledger's counts.
#pragma once

#include <array>
#include <vector>

#include "planner/spec/clock.h"
#include "planner/spec/ledger.h"

namespace argosy {

// One call of this rank. Seconds from CommTimes::restart().
struct CommSpan {
  CollectiveKind kind = CollectiveKind::all_reduce;
  Axis axis = Axis::world;
  double start_s = 0;    // posted
  double end_s = 0;      // this rank knows that it is complete: late if it looked late
  double blocked_s = 0;  // of the span, inside the communicator: posting, testing, waiting
};

// Seconds inside the communicator, by axis. The rest of a span ran beside other work.
using BlockedSeconds = std::array<double, kNumAxes>;

// Of one rank, on its own thread.
class CommTimes {
 public:
  // Forgets everything; times count from now on.
  void restart() {
    origin_ = Clock::now();
    spans_.clear();
    blocked_s_ = {};
  }
  double now_s() const { return seconds_since(origin_); }

  void add_blocked(Axis axis, double seconds) { blocked_s_[static_cast<size_t>(axis)] += seconds; }
  void add(const CommSpan& span) { spans_.push_back(span); }

  const std::vector<CommSpan>& spans() const { return spans_; }  // in the order of their ends
  const BlockedSeconds& blocked_s() const { return blocked_s_; }

 private:
  Clock::time_point origin_ = Clock::now();
  std::vector<CommSpan> spans_;
  BlockedSeconds blocked_s_{};
};

}  // namespace argosy
