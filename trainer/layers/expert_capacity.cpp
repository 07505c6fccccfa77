// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/expert_capacity.h"

#include <cmath>
#include <vector>

#include "trainer/ops/permute.h"

namespace argosy {

int64_t expert_capacity(const Plan& plan, int64_t seq_len) {
  if (plan.moe_capacity_factor <= 0) return 0;
  const MoeSpec& moe = plan.model.moe;
  return static_cast<int64_t>(
      std::ceil(static_cast<double>(seq_len * moe.top_k) * plan.moe_capacity_factor /
                static_cast<double>(moe.num_experts)));
}

namespace {

// x (rows, cols) of every rank of the axis, one after the other; x itself in a group of one.
Tensor gather_rows(const LayerContext& ctx, Axis axis, const Tensor& x) {
  Communicator& group = ctx.groups[axis];
  if (group.size() == 1) return x;
  Tensor whole = ctx.scratch({group.size() * x.dim(0), x.dim(1)}, x.dtype());
  const std::vector<int64_t> counts(static_cast<size_t>(group.size()), x.size());
  group.all_gather(buffer_of(x), buffer_of(whole), counts);
  return whole;
}

}  // namespace

Tensor route_within_capacity(const LayerContext& ctx, const Microbatch& microbatch,
                             const Tensor& experts) {
  const int64_t capacity = expert_capacity(ctx.plan, microbatch.seq_len);
  if (capacity == 0) return experts;
  const Coordinates& at = ctx.groups.coordinates();
  int64_t first = at.cp * microbatch.tokens();
  if (ctx.sequence_parallel()) first += at.tp * experts.dim(0);
  Tensor whole = experts, tokens = microbatch.places;
  {
    const UnrecordedScope control(ctx.groups);
    if (ctx.sequence_parallel()) whole = gather_rows(ctx, Axis::tp, whole);
    whole = gather_rows(ctx, Axis::cp, whole);  // (B*T,k)
    tokens = gather_rows(ctx, Axis::cp, tokens).view({whole.dim(0)});
  }
  Tensor routed = ctx.scratch(experts.shape(), DType::int32);
  ops::drop_beyond_capacity(ctx.device, tokens, whole, ctx.plan.model.moe.num_experts,
                            microbatch.seq_len, capacity, first, routed);
  return routed;
}

}  // namespace argosy
