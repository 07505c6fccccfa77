// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Seconds of one pass of a layer as a stack runs it. For stack_time.cpp.
#pragma once

#include "planner/cost/stack_time.h"

namespace argosy {

struct PassTime {
  double ops_s = 0, attention_s = 0;
  double tensor_s = 0, expert_s = 0, context_s = 0;
  double num_launches = 0;
};

// The machine that products of a pass see, and that all other ops see.
struct Machine {
  ClusterSpec cluster;
  Accelerator products, attention;
  double cast_share = 0;
};

Machine machine_of(const StackRun& run, const StackNumbers& numbers);

double memory_seconds(double bytes, const Accelerator& accelerator);

// `is_backward`: the pass begins with what recomputation runs again.
PassTime pass_time(const StackRun& run, const StackProfile& stack, const Machine& machine,
                   const Pass& pass, LayerKind kind, bool is_backward);

// Ops and what is not hidden of traffic, or the host's floor.
double pass_seconds(const PassTime& time, const StackProfile& stack, const StackNumbers& numbers);

}  // namespace argosy
