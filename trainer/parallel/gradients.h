// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// From the gradients that each rank accumulated to the summed gradients that the optimizer reads:
// everything that is reduced once a step, in the order of step_work() in planner/spec/work.h.
#pragma once

#include <array>

#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"

namespace argosy {

// [domain]: the gradients that this rank's update reads, its shards one after the other
// (DomainLayout::num_shard_elements); undefined for a domain without gradients.
using ReducedGradients = std::array<Tensor, kNumDomains>;

// Collective. The gradients of the objective times the number of unmasked tokens.
ReducedGradients reduce_gradients(const LayerContext& ctx, const ParameterStore& store);

// Sum of squares over what this rank stands for: each element of the model counts on exactly one
// rank of the world.
double owned_sum_of_squares(const LayerContext& ctx, const ParameterStore& store,
                            const ReducedGradients& reduced);

}  // namespace argosy
