// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/head_norms.h"

#include "trainer/layers/context_attention.h"
#include "trainer/ops/norm.h"
#include "trainer/ops/shared_norm.h"

namespace argosy {

HeadNorms::HeadNorms(const LayerContext& ctx, const ParameterStore& store, int layer)
    : q_gain_(store.find(layer, TensorRole::q_norm)),
      k_gain_(store.find(layer, TensorRole::k_norm)),
      head_dim_(ctx.plan.model.head_dim),
      is_whole_(ctx.plan.model.qk_norm_is_whole),
      eps_(ctx.plan.model.norm_eps) {}

bool HeadNorms::is_shared(const LayerContext& ctx) const {
  return is_whole_ && (ctx.plan.mesh.tp > 1 || exchanges_heads(ctx));
}

// Where heads are exchanged the rank of cp has the part of its tp rank's heads with its own number.
HeadNorms::Part HeadNorms::part(const LayerContext& ctx, const Parameter& gain,
                                const Tensor& x) const {
  if (!is_whole_) {
    return {x.view({x.size() / head_dim_, head_dim_}), gain.value, gain.grad, head_dim_};
  }
  const int64_t cols = x.dim(1), parts = exchanges_heads(ctx) ? ctx.plan.mesh.cp : 1;
  const int64_t begin = parts > 1 ? ctx.groups.coordinates().cp * cols : 0;
  const auto mine = [&](const Tensor& whole) {
    return whole.defined() ? whole.flat(begin, begin + cols, {cols}) : whole;
  };
  return {x, mine(gain.value), mine(gain.grad), cols * parts * ctx.plan.mesh.tp};
}

void HeadNorms::sum_over_ranks(const LayerContext& ctx, const Tensor& sums) const {
  if (ctx.plan.mesh.tp > 1) ctx.groups[Axis::tp].all_reduce(buffer_of(sums));
  if (exchanges_heads(ctx)) ctx.groups[Axis::cp].all_reduce(buffer_of(sums));
}

QueryKey HeadNorms::forward(const LayerContext& ctx, const QueryKey& x,
                            HeadNormStatistics* statistics, MemoryCategory kept) const {
  const Part q = part(ctx, *q_gain_, x.q), k = part(ctx, *k_gain_, x.k);
  const int64_t q_rows = q.x.dim(0), k_rows = k.x.dim(0);
  // One piece of memory: the sums of both go over the ranks together.
  const Tensor both = ctx.device.empty({q_rows + k_rows}, ctx.statistic(), kept);
  *statistics = {both.rows(0, q_rows), both.rows(q_rows, q_rows + k_rows)};
  if (is_shared(ctx)) {
    ops::row_squares(ctx.device, q.x, statistics->q);
    ops::row_squares(ctx.device, k.x, statistics->k);
    sum_over_ranks(ctx, both);
    ops::inverse_rms(ctx.device, statistics->q, q.width, eps_);
    ops::inverse_rms(ctx.device, statistics->k, k.width, eps_);
    return apply(ctx, x, *statistics);
  }
  QueryKey y{ctx.scratch(x.q.shape()), ctx.scratch(x.k.shape())};
  ops::rms_norm_forward(ctx.device, q.x, q.gain, eps_, y.q.view(q.x.shape()), statistics->q);
  ops::rms_norm_forward(ctx.device, k.x, k.gain, eps_, y.k.view(k.x.shape()), statistics->k);
  return y;
}

QueryKey HeadNorms::apply(const LayerContext& ctx, const QueryKey& x,
                          const HeadNormStatistics& statistics) const {
  const Part q = part(ctx, *q_gain_, x.q), k = part(ctx, *k_gain_, x.k);
  QueryKey y{ctx.scratch(x.q.shape()), ctx.scratch(x.k.shape())};
  ops::rms_norm_apply(ctx.device, q.x, q.gain, statistics.q, y.q.view(q.x.shape()));
  ops::rms_norm_apply(ctx.device, k.x, k.gain, statistics.k, y.k.view(k.x.shape()));
  return y;
}

void HeadNorms::backward(const LayerContext& ctx, const QueryKey& x,
                         const HeadNormStatistics& statistics, const QueryKey& gradient) const {
  const Part q = part(ctx, *q_gain_, x.q), k = part(ctx, *k_gain_, x.k);
  const Tensor dq = gradient.q.view(q.x.shape()), dk = gradient.k.view(k.x.shape());
  if (!is_shared(ctx)) {
    ops::rms_norm_backward(ctx.device, dq, q.x, q.gain, statistics.q, dq, q.dgain, false);
    ops::rms_norm_backward(ctx.device, dk, k.x, k.gain, statistics.k, dk, k.dgain, false);
    return;
  }
  const int64_t rows = q.x.dim(0);
  const Tensor both = ctx.scratch({2 * rows}, ctx.statistic());
  const Tensor q_sums = both.rows(0, rows), k_sums = both.rows(rows, 2 * rows);
  ops::row_projections(ctx.device, dq, q.x, q.gain, statistics.q, q_sums);
  ops::row_projections(ctx.device, dk, k.x, k.gain, statistics.k, k_sums);
  sum_over_ranks(ctx, both);
  ops::shared_rms_norm_backward(ctx.device, dq, q.x, q.gain, statistics.q, q_sums, q.width, dq,
                                q.dgain);
  ops::shared_rms_norm_backward(ctx.device, dk, k.x, k.gain, statistics.k, k_sums, k.width, dk,
                                k.dgain);
}

}  // namespace argosy
