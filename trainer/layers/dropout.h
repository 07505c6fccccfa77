// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where dropout acts: behind the embedding and behind both halves of a block, before the residual
// sum. Its masks follow from (seed, step, layer, site) and the token's index in the global batch:
// no layout changes them, and recomputation draws them again.
#pragma once

#include "trainer/layers/context.h"

namespace argosy {

enum class DropoutSite { embedding, attention, mlp };

// In place on x (s, H), this rank's rows; nothing while the probability is 0. layer: -1 for the
// embedding.
void apply_dropout(const LayerContext& ctx, const Microbatch& microbatch, int layer,
                   DropoutSite site, const Tensor& x);
// gradient (s, H) behind the site -> before it: a copy, or the same tensor while the probability
// is 0.
Tensor dropout_backward(const LayerContext& ctx, const Microbatch& microbatch, int layer,
                        DropoutSite site, const Tensor& gradient);

}  // namespace argosy
