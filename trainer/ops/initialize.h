// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Initial values from the counter RNG: element (r, c) of a tensor depends on (seed, tensor name, r
// * cols + c) alone.
#pragma once

#include "planner/spec/layout.h"
#include "planner/spec/model.h"
#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// Fills `part` with the elements of `box` of the tensor that `spec` describes.
void initialize(DeviceContext& ctx, const TensorSpec& spec, const Box& box, uint64_t seed,
                const Tensor& part);

// What each device defines; operands are checked.
namespace detail {
template <Device device>
void initialize(const TensorSpec& spec, const Box& box, uint64_t seed, const Tensor& part);
}  // namespace detail

}  // namespace argosy::ops
