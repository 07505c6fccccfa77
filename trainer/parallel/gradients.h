// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What follows the reduction over the data (data_parallel.h): sums over ranks that saw a tensor in
// part, and the norm.
#pragma once

#include <array>

#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"

namespace argosy {

// [domain]: the gradients that this rank's update reads, its shards one after the other
// (DomainLayout::num_shard_elements); undefined for a domain without gradients.
using ReducedGradients = std::array<Tensor, kNumDomains>;

// Whether communication runs beside computation. Off is for benchmarks; no result depends on it.
enum class Overlap { on, off };

// Elements `range` of a flat tensor; of an undefined one, undefined.
Tensor flat_part(const Tensor& flat, Range range);

// Collective: over the ranks that saw part of the tokens, heads or outputs of a tensor, or the
// other use of a tied table. `shards` is the domain's reduced gradient. These sums are linear, so
// they come after the one over the data: there are fewer bytes left then.
void sum_partial_gradients(const LayerContext& ctx, const ParameterStore& store, Domain domain,
                           const Tensor& shards);

// total: fp64 (1) on the device: the sum of squares over what this rank stands for. Each element of
// the model counts on exactly one rank of the world.
void owned_sum_of_squares(const LayerContext& ctx, const ParameterStore& store,
                          const ReducedGradients& reduced, const Tensor& total);

}  // namespace argosy
