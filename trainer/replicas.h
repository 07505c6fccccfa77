// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The replica guard: ranks that hold the same part of a parameter must hold the same bits. That
// holds by construction (every reduction gives all ranks the same bits, and updates are the same
// arithmetic), so a difference is a lost reduction, a stale gather or a broken machine.
#pragma once

#include <string>
#include <vector>

#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"

namespace argosy {

// Collective, control traffic. One line for each tensor whose copies differ, naming the tensor, the
// axes along which they are copies and the ranks that differ from the majority; the same lines on
// all ranks. Copies are found by what they hold, not by group: replicas of dp_cp and edp, of tp and
// kv_replica, tied tables.
std::vector<std::string> differing_replicas(const LayerContext& ctx, const ParameterStore& store);

}  // namespace argosy
