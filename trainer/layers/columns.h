// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Vectors that stand side by side in rows: taken apart, and put together.
#pragma once

#include "trainer/layers/context.h"

namespace argosy {

// (N, width), scratch: columns [begin, begin + width) of x (N, ...).
Tensor columns(const LayerContext& ctx, const Tensor& x, int64_t begin, int64_t width);

// x (N, width) -> columns [begin, begin + width) of joined (N, ...).
void put_columns(const LayerContext& ctx, const Tensor& x, const Tensor& joined, int64_t begin);

}  // namespace argosy
