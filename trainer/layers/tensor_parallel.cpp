// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/tensor_parallel.h"

#include <vector>

#include "trainer/ops/elementwise.h"

namespace argosy {

namespace {

std::vector<int64_t> equal_counts(const LayerContext& ctx, int64_t total) {
  const int64_t tp = ctx.plan.mesh.tp;
  CHECK(total % tp == 0, total, " elements over tp=", tp);
  return std::vector<int64_t>(static_cast<size_t>(tp), total / tp);
}

}  // namespace

Tensor gather_tokens(const LayerContext& ctx, const Tensor& x) {
  if (!ctx.sequence_parallel()) return x;
  Tensor all = ctx.scratch({x.dim(0) * ctx.plan.mesh.tp, x.dim(1)}, x.dtype());
  ctx.groups[Axis::tp].all_gather(buffer_of(x), buffer_of(all), equal_counts(ctx, all.size()));
  return all;
}

Tensor reduce_tokens(const LayerContext& ctx, Tensor x, MemoryCategory category) {
  Communicator& tp = ctx.groups[Axis::tp];
  if (ctx.sequence_parallel()) {
    Tensor part = ctx.device.empty({x.dim(0) / ctx.plan.mesh.tp, x.dim(1)}, x.dtype(), category);
    if (ctx.fault == Fault::partial_sum_left_out) {
      const int64_t rows = part.dim(0), first = tp.rank() * rows;
      ops::copy(ctx.device, x.rows(first, first + rows), part);
      return part;
    }
    tp.reduce_scatter(buffer_of(x), buffer_of(part), equal_counts(ctx, x.size()));
    return part;
  }
  if (ctx.plan.mesh.tp > 1 && ctx.fault != Fault::partial_sum_left_out) tp.all_reduce(buffer_of(x));
  ctx.device.recategorize(x, category);
  return x;
}

}  // namespace argosy
