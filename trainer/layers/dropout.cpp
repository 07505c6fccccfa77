// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/dropout.h"

#include "planner/spec/philox.h"
#include "trainer/ops/dropout.h"
#include "trainer/ops/elementwise.h"

namespace argosy {

namespace {

constexpr uint64_t kNumSites = 3;

ops::DropoutKey key_of(const LayerContext& ctx, const Microbatch& microbatch, int layer,
                       DropoutSite site) {
  const uint64_t place = static_cast<uint64_t>(layer + 1) * kNumSites + static_cast<uint64_t>(site);
  const uint64_t stream = hash_name("dropout") + place;
  return {ctx.plan.seed, stream, microbatch.step};
}

}  // namespace

void apply_dropout(const LayerContext& ctx, const Microbatch& microbatch, int layer,
                   DropoutSite site, const Tensor& x) {
  if (ctx.settings.dropout == 0) return;
  const int64_t s = x.dim(0);
  const int64_t first = ctx.sequence_parallel() ? ctx.groups.coordinates().tp * s : 0;
  ops::dropout(ctx.device, x, microbatch.token_ids.rows(first, first + s),
               key_of(ctx, microbatch, layer, site), ctx.settings.dropout);
}

Tensor dropout_backward(const LayerContext& ctx, const Microbatch& microbatch, int layer,
                        DropoutSite site, const Tensor& gradient) {
  if (ctx.settings.dropout == 0) return gradient;
  Tensor before = ctx.scratch(gradient.shape(), gradient.dtype());
  ops::copy(ctx.device, gradient, before);
  apply_dropout(ctx, microbatch, layer, site, before);
  return before;
}

}  // namespace argosy
