// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/heads.h"

#include "trainer/layers/context_attention.h"
#include "trainer/layers/tensor_parallel.h"

namespace argosy {

HeadProjections::HeadProjections(const LayerContext& ctx, const ParameterStore& store, int layer)
    : q_(ctx, store, layer, TensorRole::q, TensorRole::q_bias),
      k_(ctx, store, layer, TensorRole::k, TensorRole::k_bias),
      v_(ctx, store, layer, TensorRole::v, TensorRole::v_bias),
      norms_(ctx, store, layer),
      head_dim_(ctx.plan.model.head_dim),
      turning_{.head_dim = head_dim_, .begin = 0, .size = ctx.plan.model.turning_dim()},
      use_rope_(ctx.plan.model.position == PositionKind::rope) {}

Tensor HeadProjections::project(const LayerContext& ctx, const Microbatch& microbatch,
                                const Linear& linear, const ProductOperand& input, Tensor* lora,
                                MemoryCategory kept) const {
  const bool exchange = exchanges_heads(ctx);
  Tensor y = ctx.device.empty({input.values().dim(0), linear.out_features()}, ctx.compute(),
                              exchange ? MemoryCategory::workspace : kept);
  linear.forward(ctx, input, y, lora, kept);
  return exchange ? split_heads(ctx, microbatch, y, kept) : y;
}

void HeadProjections::turn(const LayerContext& ctx, const Microbatch& microbatch,
                           const ops::RopeTable& rope, const QueryKey& x, bool inverse) const {
  if (!use_rope_) return;
  for (const Tensor* heads : {&x.q, &x.k})
    ops::rope(ctx.device, *heads, turning_, microbatch.attention_positions, rope, inverse);
}

Heads HeadProjections::forward(const LayerContext& ctx, const Microbatch& microbatch,
                               const ops::RopeTable& rope, const Tensor& normed,
                               ProjectionState* state, MemoryCategory kept) const {
  const ProductOperand input = gather_tokens(ctx, normed);  // (n, H)
  Heads& heads = state->heads;
  heads.q = project(ctx, microbatch, q_, input, &state->q_lora, kept);
  heads.k = project(ctx, microbatch, k_, input, &state->k_lora, kept);
  heads.v = project(ctx, microbatch, v_, input, &state->v_lora, kept);
  QueryKey ready{heads.q, heads.k};
  if (norms_.exist()) ready = norms_.forward(ctx, ready, &state->norms, kept);
  turn(ctx, microbatch, rope, ready, false);
  return {ready.q, ready.k, heads.v};
}

Heads HeadProjections::ready(const LayerContext& ctx, const Microbatch& microbatch,
                             const ops::RopeTable& rope, const ProjectionState& state) const {
  if (!norms_.exist()) return state.heads;
  const QueryKey ready = norms_.apply(ctx, {state.heads.q, state.heads.k}, state.norms);
  turn(ctx, microbatch, rope, ready, false);
  return {ready.q, ready.k, state.heads.v};
}

Tensor HeadProjections::backward(const LayerContext& ctx, const Microbatch& microbatch,
                                 const ops::RopeTable& rope, const NormedInput& input,
                                 const ProjectionState& state, Heads gradient) const {
  const QueryKey dready{gradient.q, gradient.k};
  turn(ctx, microbatch, rope, dready, true);
  if (norms_.exist()) {
    norms_.backward(ctx, {state.heads.q, state.heads.k}, state.norms, dready);
  }
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
