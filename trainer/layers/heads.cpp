// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/heads.h"

#include "trainer/layers/context_attention.h"
#include "trainer/layers/tensor_parallel.h"
#include "trainer/ops/norm.h"

namespace argosy {

HeadProjections::HeadProjections(const LayerContext& ctx, const ParameterStore& store, int layer)
    : q_(ctx, store, layer, TensorRole::q, TensorRole::q_bias),
      k_(ctx, store, layer, TensorRole::k, TensorRole::k_bias),
      v_(ctx, store, layer, TensorRole::v, TensorRole::v_bias),
      q_norm_(store.find(layer, TensorRole::q_norm)),
      k_norm_(store.find(layer, TensorRole::k_norm)),
      head_dim_(ctx.plan.model.head_dim),
      use_rope_(ctx.plan.model.position == PositionKind::rope),
      eps_(ctx.plan.model.norm_eps) {}

Tensor HeadProjections::project(const LayerContext& ctx, const Microbatch& microbatch,
                                const Linear& linear, const ProductOperand& input, Tensor* lora,
                                MemoryCategory kept) const {
  const bool exchange = exchanges_heads(ctx);
  Tensor y = ctx.device.empty({input.values().dim(0), linear.out_features()}, ctx.compute(),
                              exchange ? MemoryCategory::workspace : kept);
  linear.forward(ctx, input, y, lora, kept);
  return exchange ? split_heads(ctx, microbatch, y, kept) : y;
}

Tensor HeadProjections::norm_heads(const LayerContext& ctx, const Parameter& gain, const Tensor& x,
                                   Tensor* rms, MemoryCategory kept) const {
  const Shape per_head = {x.size() / head_dim_, head_dim_};
  *rms = ctx.device.empty({per_head[0]}, ctx.statistic(), kept);
  Tensor y = ctx.scratch(x.shape());
  ops::rms_norm_forward(ctx.device, x.view(per_head), gain.value, eps_, y.view(per_head), *rms);
  return y;
}

void HeadProjections::turn(const LayerContext& ctx, const Microbatch& microbatch,
                           const ops::RopeTable& rope, const Tensor& x, bool inverse) const {
  if (!use_rope_) return;
  const ops::RopePart whole = {.head_dim = head_dim_, .begin = 0, .size = head_dim_};
  ops::rope(ctx.device, x, whole, microbatch.attention_positions, rope, inverse);
}

Heads HeadProjections::forward(const LayerContext& ctx, const Microbatch& microbatch,
                               const ops::RopeTable& rope, const Tensor& normed,
                               ProjectionState* state, MemoryCategory kept) const {
  const ProductOperand input = gather_tokens(ctx, normed);  // (n, H)
  Heads& heads = state->heads;
  heads.q = project(ctx, microbatch, q_, input, &state->q_lora, kept);
  heads.k = project(ctx, microbatch, k_, input, &state->k_lora, kept);
  heads.v = project(ctx, microbatch, v_, input, &state->v_lora, kept);
  Heads ready = heads;
  if (q_norm_ != nullptr) {
    ready.q = norm_heads(ctx, *q_norm_, heads.q, &state->q_rms, kept);
    ready.k = norm_heads(ctx, *k_norm_, heads.k, &state->k_rms, kept);
  }
  turn(ctx, microbatch, rope, ready.q, false);
  turn(ctx, microbatch, rope, ready.k, false);
  return ready;
}

Tensor HeadProjections::ready(const LayerContext& ctx, const Microbatch& microbatch,
                              const ops::RopeTable& rope, const Tensor& kept, const Tensor& rms,
                              const Parameter* gain) const {
  if (gain == nullptr) return kept;
  Tensor x = ctx.scratch(kept.shape());
  const Shape per_head = {kept.size() / head_dim_, head_dim_};
  ops::rms_norm_apply(ctx.device, kept.view(per_head), gain->value, rms, x.view(per_head));
  turn(ctx, microbatch, rope, x, false);
  return x;
}

Heads HeadProjections::ready(const LayerContext& ctx, const Microbatch& microbatch,
                             const ops::RopeTable& rope, const ProjectionState& state) const {
  return {ready(ctx, microbatch, rope, state.heads.q, state.q_rms, q_norm_),
          ready(ctx, microbatch, rope, state.heads.k, state.k_rms, k_norm_), state.heads.v};
}

void HeadProjections::ready_backward(const LayerContext& ctx, const Microbatch& microbatch,
                                     const ops::RopeTable& rope, const Tensor& kept,
                                     const Tensor& rms, const Parameter* gain,
                                     const Tensor& gradient) const {
  turn(ctx, microbatch, rope, gradient, true);
  if (gain == nullptr) return;
  const Shape per_head = {kept.size() / head_dim_, head_dim_};
  ops::rms_norm_backward(ctx.device, gradient.view(per_head), kept.view(per_head), gain->value, rms,
                         gradient.view(per_head), gain->grad, false);
}

Tensor HeadProjections::backward(const LayerContext& ctx, const Microbatch& microbatch,
                                 const ops::RopeTable& rope, const NormedInput& input,
                                 const ProjectionState& state, Heads gradient) const {
  ready_backward(ctx, microbatch, rope, state.heads.q, state.q_rms, q_norm_, gradient.q);
  ready_backward(ctx, microbatch, rope, state.heads.k, state.k_rms, k_norm_, gradient.k);
  if (exchanges_heads(ctx)) {
    for (Tensor* d : {&gradient.q, &gradient.k, &gradient.v}) {
      *d = join_heads(ctx, microbatch, *d, MemoryCategory::workspace);
    }
  }
  ProductOperand gathered;  // (n, H), gathered again where a gradient needs it
  if (q_.needs_input() || k_.needs_input() || v_.needs_input()) {
    gathered = gather_tokens(ctx, input.again(ctx));
  }
  const Tensor dinput = ctx.scratch({microbatch.tokens(), ctx.hidden()});
  q_.backward(ctx, gradient.q, gathered, state.q_lora, dinput, false);
  k_.backward(ctx, gradient.k, gathered, state.k_lora, dinput, true);
  v_.backward(ctx, gradient.v, gathered, state.v_lora, dinput, true);
  return reduce_tokens(ctx, dinput, MemoryCategory::workspace);
}

}  // namespace argosy
