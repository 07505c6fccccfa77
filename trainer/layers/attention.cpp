// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/attention.h"

#include <algorithm>
#include <cmath>

#include "trainer/layers/context_attention.h"
#include "trainer/layers/deferred.h"
#include "trainer/layers/dropout.h"
#include "trainer/layers/tensor_parallel.h"
#include "trainer/ops/elementwise.h"
#include "trainer/ops/norm.h"

namespace argosy {

Attention::Attention(const LayerContext& ctx, const ParameterStore& store, int layer)
    : norm_(ctx, store, layer, TensorRole::attention_norm, TensorRole::attention_norm_bias),
      q_(ctx, store, layer, TensorRole::q, TensorRole::q_bias),
      k_(ctx, store, layer, TensorRole::k, TensorRole::k_bias),
      v_(ctx, store, layer, TensorRole::v, TensorRole::v_bias),
      o_(ctx, store, layer, TensorRole::o),
      o_bias_(store.find(layer, TensorRole::o_bias)),
      q_norm_(store.find(layer, TensorRole::q_norm)),
      k_norm_(store.find(layer, TensorRole::k_norm)),
      layer_(layer),
      heads_(q_.out_features() / ctx.plan.model.head_dim),
      kv_heads_(k_.out_features() / ctx.plan.model.head_dim),
      head_dim_(ctx.plan.model.head_dim),
      window_(ctx.plan.model.sliding_window),
      use_rope_(ctx.plan.model.position == PositionKind::rope),
      keeps_result_(ctx.plan.recompute[static_cast<size_t>(layer)] != Recompute::selective),
      eps_(ctx.plan.model.norm_eps) {}

ops::AttentionShape Attention::shape_of(const LayerContext& ctx,
                                        const Microbatch& microbatch) const {
  const bool all_tokens = exchanges_heads(ctx);
  const int64_t parts = all_tokens ? ctx.plan.mesh.cp : 1;
  return {.batch = microbatch.batch,
          .seq_len = all_tokens ? microbatch.seq_len : microbatch.local_len,
          .num_heads = heads_ / parts,
          .num_kv_heads = kv_heads_ / parts,
          .head_dim = head_dim_,
          .scale = 1.0 / std::sqrt(static_cast<double>(head_dim_)),
          .window = window_,
          .document_begin = microbatch.document_begin,
          .document_rows = microbatch.document_rows};
}

Tensor Attention::project(const LayerContext& ctx, const Microbatch& microbatch,
                          const Linear& linear, const ProductOperand& input, Tensor* lora,
                          MemoryCategory kept) const {
  const bool exchange = exchanges_heads(ctx);
  Tensor y = ctx.device.empty({input.values().dim(0), linear.out_features()}, ctx.compute(),
                              exchange ? MemoryCategory::workspace : kept);
  linear.forward(ctx, input, y, lora, kept);
  return exchange ? split_heads(ctx, microbatch, y, kept) : y;
}

AttentionResult Attention::attend(const LayerContext& ctx, const Microbatch& microbatch,
                                  const Tensor& q, const Tensor& k, const Tensor& v,
                                  MemoryCategory kept) const {
  const bool exchange = exchanges_heads(ctx);
  AttentionResult result;
  result.out =
      ctx.device.empty(q.shape(), ctx.compute(), exchange ? MemoryCategory::workspace : kept);
  result.lse = ctx.device.empty({q.dim(0), q.dim(1) / head_dim_}, ctx.statistic(), kept);
  context_attention_forward(ctx, shape_of(ctx, microbatch), q, k, v, result.out, result.lse);
  if (exchange) result.out = join_heads(ctx, microbatch, result.out, kept);
  return result;
}

AttentionResult Attention::attend_cached(const LayerContext& ctx, const Microbatch& microbatch,
                                         const Tensor& q, const Tensor& k, const Tensor& v,
                                         LayerCache* cache) const {
  const int64_t begin = cache->length, end = begin + q.dim(0);
  CHECK(microbatch.batch == 1 && ctx.plan.mesh.cp == 1, "a cache for ", microbatch.batch,
        " sequences on ", ctx.plan.mesh.cp, " ranks");
  CHECK(end <= cache->k.dim(0), "token ", end, " in a cache of ", cache->k.dim(0));
  ops::copy(ctx.device, k, cache->k.rows(begin, end));
  ops::copy(ctx.device, v, cache->v.rows(begin, end));
  cache->length = end;
  // Keys that the window hides from the first query are hidden from all.
  const int64_t oldest = window_ == 0 ? 0 : std::max<int64_t>(0, begin - window_ + 1);
  ops::AttentionShape shape = shape_of(ctx, microbatch);
  shape.queries = {{0, begin, end - begin}};
  shape.keys = {{0, oldest, end - oldest}};
  AttentionResult result{ctx.scratch(q.shape()), ctx.scratch({q.dim(0), heads_}, ctx.statistic())};
  ops::attention_forward(ctx.device, shape, q, cache->k.rows(oldest, end),
                         cache->v.rows(oldest, end), result.out, result.lse);
  return result;
}

void Attention::attend_backward(const LayerContext& ctx, const Microbatch& microbatch,
                                const Tensor& dout, const Tensor& q, const Tensor& k,
                                const Tensor& v, const AttentionResult& result, const Tensor& dq,
                                const Tensor& dk, const Tensor& dv) const {
  Tensor out = result.out, gradient = dout;
  if (exchanges_heads(ctx)) {
    out = split_heads(ctx, microbatch, out, MemoryCategory::workspace);
    gradient = split_heads(ctx, microbatch, gradient, MemoryCategory::workspace);
  }
  context_attention_backward(ctx, shape_of(ctx, microbatch), gradient, q, k, v, out, result.lse, dq,
                             dk, dv);
}

Tensor Attention::forward(const LayerContext& ctx, const Microbatch& microbatch,
                          const ops::RopeTable& rope, const Tensor& x, const Tensor& residual,
                          AttentionState* state, Keep keep, LayerCache* cache) const {
  CHECK(cache == nullptr || keep == Keep::discard, "a cache serves no backward pass");
  const MemoryCategory kept = category_of(keep);
  DeviceContext& device = ctx.device;

  ProductOperand input =
      gather_tokens(ctx, norm_.forward(ctx, x, residual, &state->norm, kept));  // (n, H)
  state->q = project(ctx, microbatch, q_, input, &state->q_lora, kept);
  state->k = project(ctx, microbatch, k_, input, &state->k_lora, kept);
  state->v = project(ctx, microbatch, v_, input, &state->v_lora, kept);

  Tensor q = state->q, k = state->k;
  if (q_norm_ != nullptr) {
    const Shape q_heads = {q.size() / head_dim_, head_dim_},
                k_heads = {k.size() / head_dim_, head_dim_};
    state->q_rms = device.empty({q_heads[0]}, ctx.statistic(), kept);
    state->k_rms = device.empty({k_heads[0]}, ctx.statistic(), kept);
    q = ctx.scratch(state->q.shape());
    k = ctx.scratch(state->k.shape());
    ops::rms_norm_forward(device, state->q.view(q_heads), q_norm_->value, eps_, q.view(q_heads),
                          state->q_rms);
    ops::rms_norm_forward(device, state->k.view(k_heads), k_norm_->value, eps_, k.view(k_heads),
                          state->k_rms);
  }
  if (use_rope_) {
    const Tensor& positions = microbatch.attention_positions;
    ops::rope(device, q, q.dim(1) / head_dim_, positions, rope, false);
    ops::rope(device, k, k.dim(1) / head_dim_, positions, rope, false);
  }

  state->result = cache != nullptr ? attend_cached(ctx, microbatch, q, k, state->v, cache)
                                   : attend(ctx, microbatch, q, k, state->v,
                                            keeps_result_ ? kept : MemoryCategory::workspace);
  const Tensor projected = ctx.scratch({microbatch.tokens(), ctx.hidden()});
  o_.forward(ctx, state->result.out, projected, &state->o_lora, kept);
  if (!keeps_result_) state->result = {};
  Tensor y = reduce_tokens(ctx, projected, MemoryCategory::buffers);  // (s, H)
  if (o_bias_ != nullptr) ops::add_bias(device, o_bias_->value, y);
  apply_dropout(ctx, microbatch, layer_, DropoutSite::attention, y);
  return y;
}

Tensor Attention::ready(const LayerContext& ctx, const Microbatch& microbatch,
                        const ops::RopeTable& rope, const Tensor& kept, const Tensor& rms,
                        const Parameter* gain) const {
  if (gain == nullptr) return kept;
  Tensor x = ctx.scratch(kept.shape());
  const Shape per_head = {kept.size() / head_dim_, head_dim_};
  ops::rms_norm_apply(ctx.device, kept.view(per_head), gain->value, rms, x.view(per_head));
  if (use_rope_) {
    ops::rope(ctx.device, x, x.dim(1) / head_dim_, microbatch.attention_positions, rope, false);
  }
  return x;
}

void Attention::ready_backward(const LayerContext& ctx, const Microbatch& microbatch,
                               const ops::RopeTable& rope, const Tensor& kept, const Tensor& rms,
                               const Parameter* gain, const Tensor& gradient) const {
  if (use_rope_) {
    ops::rope(ctx.device, gradient, kept.dim(1) / head_dim_, microbatch.attention_positions, rope,
              true);
  }
  if (gain == nullptr) return;
  const Shape per_head = {kept.size() / head_dim_, head_dim_};
  ops::rms_norm_backward(ctx.device, gradient.view(per_head), kept.view(per_head), gain->value, rms,
                         gradient.view(per_head), gain->grad, false);
}

void Attention::backward(const LayerContext& ctx, const Microbatch& microbatch,
                         const ops::RopeTable& rope, const Tensor& x, const AttentionState& state,
                         const Tensor& gradient) const {
  const int64_t n = microbatch.tokens();
  const Tensor dy = dropout_backward(ctx, microbatch, layer_, DropoutSite::attention, gradient);
  if (o_bias_ != nullptr && o_bias_->grad.defined())
    ops::bias_backward(ctx.device, dy, o_bias_->grad);

  Tensor dq = ctx.scratch(state.q.shape()), dk = ctx.scratch(state.k.shape()),
         dv = ctx.scratch(state.v.shape());
  {
    const Tensor q = ready(ctx, microbatch, rope, state.q, state.q_rms, q_norm_);
    const Tensor k = ready(ctx, microbatch, rope, state.k, state.k_rms, k_norm_);
    const AttentionResult result =
        keeps_result_ ? state.result
                      : attend(ctx, microbatch, q, k, state.v, MemoryCategory::workspace);
    const Tensor dout = ctx.scratch({n, heads_ * head_dim_});
    o_.backward(ctx, gather_gradient(ctx, dy, o_.needs_input()), result.out, state.o_lora, dout,
                false);
    attend_backward(ctx, microbatch, dout, q, k, state.v, result, dq, dk, dv);
  }
  ready_backward(ctx, microbatch, rope, state.q, state.q_rms, q_norm_, dq);
  ready_backward(ctx, microbatch, rope, state.k, state.k_rms, k_norm_, dk);
  if (exchanges_heads(ctx)) {
    for (Tensor* d : {&dq, &dk, &dv}) {
      *d = join_heads(ctx, microbatch, *d, MemoryCategory::workspace);
    }
  }

  ProductOperand input;  // (n, H), gathered again where a gradient needs it
  if (q_.needs_input() || k_.needs_input() || v_.needs_input()) {
    input = gather_tokens(ctx, norm_.apply(ctx, x, state.norm));
  }
  const Tensor dinput = ctx.scratch({n, ctx.hidden()});
  q_.backward(ctx, dq, input, state.q_lora, dinput, false);
  k_.backward(ctx, dk, input, state.k_lora, dinput, true);
  v_.backward(ctx, dv, input, state.v_lora, dinput, true);
  norm_.backward(ctx, reduce_tokens(ctx, dinput, MemoryCategory::workspace), x, state.norm,
                 gradient, true);
}

}  // namespace argosy
