// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Bytes of the fullest rank of a run as frameworks of others keep them.
#pragma once

#include "planner/cost/stack_time.h"

namespace argosy {

// Allocated at the peak: weights, gradients, optimizer, what is kept for backward, logits, and the
// profile's constant.
int64_t peak_bytes(const StackRun& run, const StackProfile& stack);

}  // namespace argosy
