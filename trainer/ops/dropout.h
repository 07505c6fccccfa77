// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
// Dropout (Srivastava et al. 2014) whose mask nobody keeps: it follows from a key and a counter.
#pragma once

#include <cstdint>

#include "trainer/device/device_context.h"
#include "trainer/tensor.h"

namespace argosy::ops {

// random_bits(seed, stream, step). The step (1) int32 is read where the op runs, so that a captured
// op has another mask in every step.
struct DropoutKey {
  uint64_t seed = 0, stream = 0;
  Tensor step;
};

// In place on x (N,H): element (i, c) becomes 0 with probability p in [0, 1), else x / (1 - p).
// Which is decided by Philox at counter (row_ids[i], c) under `key`, so that neither the order nor
// the owner of rows matters; row_ids (N) int32. On a gradient the same call is the backward pass.
void dropout(DeviceContext& ctx, const Tensor& x, const Tensor& row_ids, const DropoutKey& key,
             double p);

// What each device defines; operands are checked.
namespace detail {
template <Device device>
void dropout(const Tensor& x, const Tensor& row_ids, const DropoutKey& key, double p);
}  // namespace detail

}  // namespace argosy::ops
