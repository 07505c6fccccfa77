// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Which choices an expert has room for. Each sequence may send an expert ceil(T * k / E * factor)
// rows; those of later positions are dropped. The rule looks at a sequence alone, so that neither
// the layout nor the micro-batch changes what is dropped.
#pragma once

#include "trainer/layers/context.h"

namespace argosy {

// Rows of one sequence that an expert takes; 0: all (dropless).
int64_t expert_capacity(const Plan& plan, int64_t seq_len);

// experts (s,k) int32 -> the same with -1 at choices that are dropped; scratch. Collective over the
// ranks that share the sequences (control traffic). Without a capacity: experts itself.
Tensor route_within_capacity(const LayerContext& ctx, const Microbatch& microbatch,
                             const Tensor& experts);

}  // namespace argosy
