// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which collectives this rank called on each group: every rank of a group must make the same calls
// in the same order. Ranks that do not may wait for each other forever, or worse, go on with what
// they took from another call.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "planner/spec/ledger.h"
#include "planner/spec/types.h"

namespace argosy {

class ProcessGroups;

// What the ranks of a group must agree on. All-to-alls have a count of 0: it differs by rank.
struct CollectiveCall {
  CollectiveKind kind = CollectiveKind::all_reduce;
  DType dtype = DType::fp32;
  int64_t count = 0;  // elements of the whole group's buffer
  bool operator==(const CollectiveCall&) const = default;
};

class CallLog {
 public:
  static constexpr size_t kKept = 1000;  // calls of each axis that can still be named

  // The calls of one axis since the start.
  struct Sequence {
    int64_t num_calls = 0;
    uint64_t hash = 0;                 // of all of them, in order
    std::vector<CollectiveCall> last;  // a ring: call i at i % kKept
  };

  void add(Axis axis, const CollectiveCall& call);
  const Sequence& operator[](Axis axis) const { return sequences_[static_cast<size_t>(axis)]; }

 private:
  std::array<Sequence, kNumAxes> sequences_;
};

// Collective over all ranks, control traffic. Empty when within each group all ranks made the same
// calls; else the first group that did not, with the number of the call and what each side called:
// "tp group of ranks 0, 1: call 17 is all_reduce of 512 fp32 on rank 0, all_gather of 512 fp32 on
// rank 1". The same text on all ranks.
std::string mismatched_calls(const ProcessGroups& groups, const CallLog& log);

}  // namespace argosy
