// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Exact counts of one rank and one step. The planner predicts a ledger from the plan, the trainer
// records one; tests subtract.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "planner/spec/mesh.h"
#include "planner/spec/plan.h"
#include "planner/spec/types.h"

namespace argosy {

enum class CollectiveKind {
  all_reduce,
  reduce_scatter,
  all_gather,
  all_to_all,
  broadcast,
  send,
  recv
};
inline constexpr int kNumCollectiveKinds = 7;
std::string_view to_string(CollectiveKind kind);

struct CollectiveKey {
  CollectiveKind kind = CollectiveKind::all_reduce;
  Axis axis = Axis::world;
  auto operator<=>(const CollectiveKey&) const = default;
};

// Bytes are this rank's payload as nccl-tests counts "size": the buffer of an all_reduce,
// broadcast, send or recv; the input of a reduce_scatter; the output of an all_gather; what this
// rank sends, to itself included, in an all_to_all.
struct CollectiveTotal {
  int64_t count = 0, bytes = 0;
  auto operator<=>(const CollectiveTotal&) const = default;
};

struct Ledger {
  int64_t parameter_bytes = 0;  // kept from step to step: ZeRO-3's shards alone
  // Largest at once: all gradients, or with ZeRO 2 and 3 this rank's shards and the unreduced
  // gradients of the two layers, following each other in the schedule, that are largest together.
  int64_t gradient_bytes = 0;
  int64_t optimizer_bytes = 0;  // on the device
  int64_t host_bytes = 0;       // the optimizer's in the host's memory, where the plan offloads it
  int64_t activation_peak_bytes = 0;  // exact for dense models
  std::map<int, int64_t>
      saved_bytes;  // layer -> bytes kept for backward by one micro-batch; -1 embedding, L head
  int64_t matmul_flops = 0;  // of the step: matrix products and attention, recomputation included
  std::map<CollectiveKey, CollectiveTotal>
      collectives;  // groups of size 1 and control traffic are not recorded

  void record(CollectiveKind kind, Axis axis, int64_t bytes);
  auto operator<=>(const Ledger&) const = default;
};

// Of one training step of `rank` under `plan` (which must be valid). For MoE layers dispatched rows
// are counted as if routing were even; the sum over the expert group is exact. With a capacity the
// rows that are dropped are counted too: an upper bound of expert FLOPs, saved bytes and bytes on
// ep and etp; everything else, and how many collectives there are, is exact.
Ledger predict_ledger(const Plan& plan, int64_t rank);

std::string to_string(const Ledger& ledger);
// Lines that differ, for test messages and --verify; empty: equal.
std::string difference(const Ledger& expected, const Ledger& actual);

}  // namespace argosy
