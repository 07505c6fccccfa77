// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The work of a layer as a framework other than the trainer runs it, from what planner/spec lists:
// which products are one, what is not computed again, how many bytes products move.
#pragma once

#include "planner/cost/job.h"
#include "planner/spec/work.h"

namespace argosy {

// Nothing for stacks that run each op by itself. Done once, for all numbers of a stack: sets
// tile_share of products as well, and what the host launches.
void rewrite_for_stack(const Job& job, Pass& pass);

// Chunks of the head, products of experts: one op where the stack makes one of them.
OpWork fused(OpWork op, const StackFacts& facts);

// Launches of attention that keeps its scores in memory.
inline constexpr double kUnfusedAttentionLaunches = 6;

}  // namespace argosy
