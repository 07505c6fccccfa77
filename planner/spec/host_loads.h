// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How gradients and weights of a device pass through its host, where the plan keeps the optimizer
// there (offload=optimizer): load by load, through pinned memory beside the optimizer's own.
#pragma once

#include <cstdint>

#include "planner/spec/types.h"

namespace argosy {

// Elements that come down at once. 2^19 are 2 MiB of fp32 gradients: 40 us over PCIe 5, long
// against the cost of beginning a copy.
inline constexpr int64_t kHostLoadElements = int64_t{1} << 19;
// At a time one load comes down, one is updated, one goes up.
inline constexpr int64_t kNumHostLoads = 3;

// Of a rank, gradients and weights: 9 MiB with bf16, which stay in the caches of a server. None
// where the device is the host: nothing is copied there.
inline int64_t host_staging_bytes(Precision precision, int64_t elements = kHostLoadElements) {
  return kNumHostLoads * elements *
         (size_in_bytes(gradient_dtype(precision)) + size_in_bytes(compute_dtype(precision)));
}

}  // namespace argosy
