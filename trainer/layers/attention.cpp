// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/attention.h"

#include <cmath>

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
      heads_(q_.out_features() / ctx.plan.model.head_dim),
      kv_heads_(k_.out_features() / ctx.plan.model.head_dim),
      head_dim_(ctx.plan.model.head_dim),
      window_(ctx.plan.model.sliding_window),
      use_rope_(ctx.plan.model.position == PositionKind::rope),
      eps_(ctx.plan.model.norm_eps) {}

ops::AttentionShape Attention::shape_of(const Microbatch& microbatch) const {
  return {.batch = microbatch.batch,
          .seq_len = microbatch.seq_len,
          .num_heads = heads_,
          .num_kv_heads = kv_heads_,
          .head_dim = head_dim_,
          .scale = 1.0 / std::sqrt(static_cast<double>(head_dim_)),
          .window = window_};
}

Tensor Attention::forward(const LayerContext& ctx, const Microbatch& microbatch,
                          const ops::RopeTable& rope, const Tensor& x, AttentionState* state,
                          Keep keep) const {
  const int64_t n = microbatch.tokens();
  const MemoryCategory kept = category_of(keep);
  DeviceContext& device = ctx.device;

  const Tensor input = gather_tokens(ctx, norm_.forward(ctx, x, &state->norm, kept));  // (n, H)
  state->q = device.empty({n, heads_ * head_dim_}, ctx.compute(), kept);
  state->k = device.empty({n, kv_heads_ * head_dim_}, ctx.compute(), kept);
  state->v = device.empty({n, kv_heads_ * head_dim_}, ctx.compute(), kept);
  q_.forward(ctx, input, state->q, &state->q_lora, kept);
  k_.forward(ctx, input, state->k, &state->k_lora, kept);
  v_.forward(ctx, input, state->v, &state->v_lora, kept);

  Tensor q = state->q, k = state->k;
  if (q_norm_ != nullptr) {
    state->q_rms = device.empty({n * heads_}, ctx.statistic(), kept);
    state->k_rms = device.empty({n * kv_heads_}, ctx.statistic(), kept);
    q = ctx.scratch(state->q.shape());
    k = ctx.scratch(state->k.shape());
    ops::rms_norm_forward(device, state->q.view({n * heads_, head_dim_}), q_norm_->value, eps_,
                          q.view({n * heads_, head_dim_}), state->q_rms);
    ops::rms_norm_forward(device, state->k.view({n * kv_heads_, head_dim_}), k_norm_->value, eps_,
                          k.view({n * kv_heads_, head_dim_}), state->k_rms);
  }
  if (use_rope_) {
    ops::rope(device, q, heads_, microbatch.seq_len, rope, false);
    ops::rope(device, k, kv_heads_, microbatch.seq_len, rope, false);
  }

  state->out = device.empty({n, heads_ * head_dim_}, ctx.compute(), kept);
  state->lse = device.empty({n, heads_}, ctx.statistic(), kept);
  ops::attention_forward(device, shape_of(microbatch), q, k, state->v, state->out, state->lse);

  const Tensor projected = ctx.scratch({n, ctx.hidden()});
  o_.forward(ctx, state->out, projected, &state->o_lora, kept);
  Tensor y = reduce_tokens(ctx, projected, MemoryCategory::buffers);  // (s, H)
  if (o_bias_ != nullptr) ops::add_bias(device, o_bias_->value, y);
  ops::add(device, x, y);
  return y;
}

Tensor Attention::ready(const LayerContext& ctx, const Microbatch& microbatch,
                        const ops::RopeTable& rope, const Tensor& kept, const Tensor& rms,
                        const Parameter* gain, int64_t heads) const {
  if (gain == nullptr) return kept;
  Tensor x = ctx.scratch(kept.shape());
  const Shape per_head = {kept.dim(0) * heads, head_dim_};
  ops::rms_norm_apply(ctx.device, kept.view(per_head), gain->value, rms, x.view(per_head));
  if (use_rope_) ops::rope(ctx.device, x, heads, microbatch.seq_len, rope, false);
  return x;
}

void Attention::ready_backward(const LayerContext& ctx, const Microbatch& microbatch,
                               const ops::RopeTable& rope, const Tensor& kept, const Tensor& rms,
                               const Parameter* gain, int64_t heads, const Tensor& gradient) const {
  if (use_rope_) ops::rope(ctx.device, gradient, heads, microbatch.seq_len, rope, true);
  if (gain == nullptr) return;
  const Shape per_head = {kept.dim(0) * heads, head_dim_};
  ops::rms_norm_backward(ctx.device, gradient.view(per_head), kept.view(per_head), gain->value, rms,
                         gradient.view(per_head), gain->grad, false);
}

void Attention::backward(const LayerContext& ctx, const Microbatch& microbatch,
                         const ops::RopeTable& rope, const Tensor& x, const AttentionState& state,
                         const Tensor& gradient) const {
  const int64_t n = microbatch.tokens();
  if (o_bias_ != nullptr && o_bias_->grad.defined())
    ops::bias_backward(ctx.device, gradient, o_bias_->grad);

  const Tensor dout = ctx.scratch({n, heads_ * head_dim_});
  o_.backward(ctx, gather_tokens(ctx, gradient), state.out, state.o_lora, dout, false);

  const Tensor dq = ctx.scratch(state.q.shape()), dk = ctx.scratch(state.k.shape()),
               dv = ctx.scratch(state.v.shape());
  {
    const Tensor q = ready(ctx, microbatch, rope, state.q, state.q_rms, q_norm_, heads_);
    const Tensor k = ready(ctx, microbatch, rope, state.k, state.k_rms, k_norm_, kv_heads_);
    ops::attention_backward(ctx.device, shape_of(microbatch), dout, q, k, state.v, state.out,
                            state.lse, dq, dk, dv);
  }
  ready_backward(ctx, microbatch, rope, state.q, state.q_rms, q_norm_, heads_, dq);
  ready_backward(ctx, microbatch, rope, state.k, state.k_rms, k_norm_, kv_heads_, dk);

  Tensor input;  // (n, H), gathered again where a gradient needs it
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
