// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <cstdint>
#include <span>

#include "planner/spec/types.h"

namespace argosy {

// output[i] = inputs[0][i] (op) inputs[1][i] (op) ..., in this order, for i < count. Sums of bf16
// are kept in fp32 and rounded once, int32 wraps around, a NaN wins every max. `output` may be one
// of the inputs; otherwise they must not overlap. CHECKs that the dtype has this op.
void reduce_in_order(std::span<const void* const> inputs, void* output, int64_t count, DType dtype,
                     ReduceOp op);

}  // namespace argosy
