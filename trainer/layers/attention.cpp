// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/attention.h"

#include <algorithm>

#include "trainer/layers/context_attention.h"
#include "trainer/layers/deferred.h"
#include "trainer/layers/dropout.h"
#include "trainer/layers/tensor_parallel.h"
#include "trainer/ops/attention_sink.h"
#include "trainer/ops/elementwise.h"

namespace argosy {

Attention::Attention(const LayerContext& ctx, const ParameterStore& store, int layer)
    : norm_(ctx, store, layer, TensorRole::attention_norm, TensorRole::attention_norm_bias),
      o_(ctx, store, layer, TensorRole::o),
      o_bias_(store.find(layer, TensorRole::o_bias)),
      sinks_(store.find(layer, TensorRole::sinks)),
      layer_(layer),
      head_dim_(ctx.plan.model.head_dim),
      value_dim_(ctx.plan.model.value_dim()),
      window_(ctx.plan.model.is_windowed(layer) ? ctx.plan.model.sliding_window : 0),
      scale_(ctx.plan.model.attention_scale()),
      keeps_result_(ctx.plan.recompute[static_cast<size_t>(ctx.plan.model.kind_layer(layer))] !=
                    Recompute::selective) {
  if (ctx.plan.model.has_latent_attention()) {
    latent_.emplace(ctx, store, layer);
    num_heads_ = num_kv_heads_ = latent_->num_heads();
  } else {
    projections_.emplace(ctx, store, layer);
    num_heads_ = projections_->num_heads();
    num_kv_heads_ = projections_->num_kv_heads();
  }
}

Heads Attention::make_heads(const LayerContext& ctx, const Microbatch& microbatch,
                            const ops::RopeTable& rope, const Tensor& normed, AttentionState* state,
                            MemoryCategory kept) const {
  if (latent_) return latent_->forward(ctx, microbatch, rope, normed, &state->latent, kept);
  return projections_->forward(ctx, microbatch, rope, normed, &state->projections, kept);
}

Heads Attention::heads_again(const LayerContext& ctx, const Microbatch& microbatch,
                             const ops::RopeTable& rope, const AttentionState& state) const {
  if (latent_) return state.latent.heads;
  return projections_->ready(ctx, microbatch, rope, state.projections);
}

Tensor Attention::heads_backward(const LayerContext& ctx, const Microbatch& microbatch,
                                 const ops::RopeTable& rope, const Tensor& x,
                                 const AttentionState& state, const Heads& gradient) const {
  const NormedInput input = {norm_, x, state.norm};
  if (latent_) return latent_->backward(ctx, microbatch, rope, input, state.latent, gradient);
  return projections_->backward(ctx, microbatch, rope, input, state.projections, gradient);
}

ops::AttentionShape Attention::shape_of(const LayerContext& ctx,
                                        const Microbatch& microbatch) const {
  const bool all_tokens = exchanges_heads(ctx);
  const int64_t parts = all_tokens ? ctx.plan.mesh.cp : 1;
  return {.batch = microbatch.batch,
          .seq_len = all_tokens ? microbatch.seq_len : microbatch.local_len,
          .num_heads = num_heads_ / parts,
          .num_kv_heads = num_kv_heads_ / parts,
          .head_dim = head_dim_,
          .scale = scale_,
          .window = window_,
          .value_dim = value_dim_,
          .document_begin = microbatch.document_begin,
          .document_rows = microbatch.document_rows};
}

Tensor Attention::of_heads_here(const LayerContext& ctx, const Tensor& x) const {
  if (!exchanges_heads(ctx)) return x;
  const int64_t size = x.size() / ctx.plan.mesh.cp;
  const int64_t begin = ctx.groups.coordinates().cp * size;
  return x.flat(begin, begin + size, Shape{size});
}

void Attention::add_sinks(const LayerContext& ctx, const AttentionResult& result) const {
  if (sinks_ == nullptr) return;
  ops::add_sinks(ctx.device, of_heads_here(ctx, sinks_->value), result.out, result.lse);
}

AttentionResult Attention::attend(const LayerContext& ctx, const Microbatch& microbatch,
                                  const Heads& heads, MemoryCategory kept) const {
  const bool exchange = exchanges_heads(ctx);
  const Tensor& q = heads.q;
  const int64_t rows = q.dim(0), num_heads = q.dim(1) / head_dim_;
  AttentionResult result;
  result.out = ctx.device.empty({rows, num_heads * value_dim_}, ctx.compute(),
                                exchange ? MemoryCategory::workspace : kept);
  result.lse = ctx.device.empty({rows, num_heads}, ctx.statistic(), kept);
  context_attention_forward(ctx, shape_of(ctx, microbatch), q, heads.k, heads.v, result.out,
                            result.lse);
  add_sinks(ctx, result);
  if (exchange) result.out = join_heads(ctx, microbatch, result.out, kept);
  return result;
}

AttentionResult Attention::attend_cached(const LayerContext& ctx, const Microbatch& microbatch,
                                         const Heads& heads, LayerCache* cache) const {
  const Tensor& q = heads.q;
  const int64_t begin = cache->length, end = begin + q.dim(0);
  CHECK(microbatch.batch == 1 && ctx.plan.mesh.cp == 1, "a cache for ", microbatch.batch,
        " sequences on ", ctx.plan.mesh.cp, " ranks");
  CHECK(end <= cache->k.dim(0), "token ", end, " in a cache of ", cache->k.dim(0));
  ops::copy(ctx.device, heads.k, cache->k.rows(begin, end));
  ops::copy(ctx.device, heads.v, cache->v.rows(begin, end));
  cache->length = end;
  // Keys that the window hides from the first query are hidden from all.
  const int64_t oldest = window_ == 0 ? 0 : std::max<int64_t>(0, begin - window_ + 1);
  ops::AttentionShape shape = shape_of(ctx, microbatch);
  shape.queries = {{0, begin, end - begin}};
  shape.keys = {{0, oldest, end - oldest}};
  AttentionResult result{ctx.scratch({q.dim(0), shape.num_heads * value_dim_}),
                         ctx.scratch({q.dim(0), shape.num_heads}, ctx.statistic())};
  ops::attention_forward(ctx.device, shape, q, cache->k.rows(oldest, end),
                         cache->v.rows(oldest, end), result.out, result.lse);
  add_sinks(ctx, result);
  return result;
}

Heads Attention::attend_backward(const LayerContext& ctx, const Microbatch& microbatch,
                                 const Tensor& dout, const Heads& heads,
                                 const AttentionResult& result) const {
  Heads gradient = {ctx.scratch(heads.q.shape()), ctx.scratch(heads.k.shape()),
                    ctx.scratch(heads.v.shape())};
  Tensor out = result.out, dresult = dout;
  if (exchanges_heads(ctx)) {
    out = split_heads(ctx, microbatch, out, MemoryCategory::workspace);
    dresult = split_heads(ctx, microbatch, dresult, MemoryCategory::workspace);
  }
  context_attention_backward(ctx, shape_of(ctx, microbatch), dresult, heads.q, heads.k, heads.v,
                             out, result.lse, gradient.q, gradient.k, gradient.v);
  if (sinks_ != nullptr && sinks_->grad.defined()) {
    ops::sinks_backward(ctx.device, of_heads_here(ctx, sinks_->value), dresult, out, result.lse,
                        of_heads_here(ctx, sinks_->grad));
  }
  return gradient;
}

Tensor Attention::forward(const LayerContext& ctx, const Microbatch& microbatch,
                          const ops::RopeTable& rope, const Tensor& x, const Tensor& residual,
                          AttentionState* state, Keep keep, LayerCache* cache) const {
  CHECK(cache == nullptr || keep == Keep::discard, "a cache serves no backward pass");
  const MemoryCategory kept = category_of(keep);
  const Heads heads = make_heads(ctx, microbatch, rope,
                                 norm_.forward(ctx, x, residual, &state->norm, kept), state, kept);
  state->result = cache != nullptr ? attend_cached(ctx, microbatch, heads, cache)
                                   : attend(ctx, microbatch, heads,
                                            keeps_result_ ? kept : MemoryCategory::workspace);
  const Tensor projected = ctx.scratch({microbatch.tokens(), ctx.hidden()});
  o_.forward(ctx, state->result.out, projected, &state->o_lora, kept);
  if (!keeps_result_) state->result = {};
  Tensor y = reduce_tokens(ctx, projected, MemoryCategory::buffers);  // (s, H)
  if (o_bias_ != nullptr) ops::add_bias(ctx.device, o_bias_->value, y);
  apply_dropout(ctx, microbatch, layer_, DropoutSite::attention, y);
  return y;
}

void Attention::backward(const LayerContext& ctx, const Microbatch& microbatch,
                         const ops::RopeTable& rope, const Tensor& x, const AttentionState& state,
                         const Tensor& gradient) const {
  const Tensor dy = dropout_backward(ctx, microbatch, layer_, DropoutSite::attention, gradient);
  if (o_bias_ != nullptr && o_bias_->grad.defined())
    ops::bias_backward(ctx.device, dy, o_bias_->grad);

  Heads dheads;
  {
    const Heads heads = heads_again(ctx, microbatch, rope, state);
    const AttentionResult result =
        keeps_result_ ? state.result : attend(ctx, microbatch, heads, MemoryCategory::workspace);
    const Tensor dout = ctx.scratch(result.out.shape());
    o_.backward(ctx, gather_gradient(ctx, dy, o_.needs_input()), result.out, state.o_lora, dout,
                false);
    dheads = attend_backward(ctx, microbatch, dout, heads, result);
  }
  norm_.backward(ctx, heads_backward(ctx, microbatch, rope, x, state, dheads), x, state.norm,
                 gradient, true);
}

}  // namespace argosy
