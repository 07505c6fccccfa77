// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// How far two stored tensors of one shape are apart.
#pragma once

#include "checkpoint/shard_reader.h"

namespace argosy {

// The largest |a - b| of all elements, and the largest |a - b| / max(|a|, |b|). Infinite where only
// one of both is a number; elements of which neither is do not count.
struct Difference {
  double absolute = 0, relative = 0;
};

// Both shapes must be equal and both dtypes floating, whichever. Memory: `a` once, as it is stored.
// Throws Error for damage.
Difference largest_difference(ShardReader& reader_a, const StoredTensor& a, ShardReader& reader_b,
                              const StoredTensor& b);

}  // namespace argosy
