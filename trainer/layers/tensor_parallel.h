// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The two places where a tensor-parallel layer talks: before column-parallel Linears and after
// row-parallel ones (Shoeybi et al. 2019; with sequence parallelism Korthikanti et al. 2022).
#pragma once

#include "trainer/layers/context.h"

namespace argosy {

// (s, C) of each rank -> (n, C) of all tokens. Without sequence parallelism x itself.
Tensor gather_tokens(const LayerContext& ctx, const Tensor& x);

// Partial sums (n, C) -> their total over tp: this rank's tokens (s, C), or all of them without
// sequence parallelism. Consumes x. The result is in `category`.
Tensor reduce_tokens(const LayerContext& ctx, Tensor x, MemoryCategory category);

}  // namespace argosy
