// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What all ranks saw of a step, as one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "comm/communicator.h"
#include "trainer/run/step_parts.h"

namespace argosy {

// Largest over the ranks, element by element. Collective.
template <size_t N>
void maximum_over_ranks(Communicator& world, std::array<double, N>& values) {
  world.all_reduce({values.data(), static_cast<int64_t>(N), DType::fp64}, ReduceOp::max);
}

// Collective.
StepParts mean_over_ranks(Communicator& world, const StepParts& of_rank);
OpParts mean_over_ranks(Communicator& world, const OpParts& of_rank);

}  // namespace argosy
