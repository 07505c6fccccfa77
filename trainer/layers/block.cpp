// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/block.h"

#include "trainer/layers/dropout.h"

namespace argosy {

Block::Block(const LayerContext& ctx, const ParameterStore& store, int layer, int moe_index)
    : layer_(layer),
      recompute_(ctx.plan.recompute[static_cast<size_t>(ctx.plan.model.kind_layer(layer))]),
      attention_(ctx, store, layer),
      mlp_norm_(ctx, store, layer, TensorRole::mlp_norm, TensorRole::mlp_norm_bias) {
  if (moe_index >= 0) {
    moe_.emplace(ctx, store, layer, moe_index);
  } else {
    mlp_.emplace(ctx, store, layer, kDenseMlp);
  }
}

Hidden Block::forward(const LayerContext& ctx, const Microbatch& microbatch,
                      const ops::RopeTable& rope, const Hidden& x, BlockState* state, Keep keep,
                      RouterTotals* totals, LayerCache* cache) const {
  state->x = x.branch;
  if (keep == Keep::for_backward) ctx.device.recategorize(x.branch, MemoryCategory::activations);
  if (keep == Keep::for_backward && recompute_ != Recompute::full) {
    return run(ctx, microbatch, rope, x.residual, state, keep, totals, cache);
  }
  BlockState passing;
  passing.x = x.branch;
  return run(ctx, microbatch, rope, x.residual, &passing, Keep::discard, totals, cache);
}

Hidden Block::run(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
                  const Tensor& residual, BlockState* state, Keep keep, RouterTotals* totals,
                  LayerCache* cache) const {
  const Tensor input = run_to_mlp(ctx, microbatch, rope, residual, state, keep, cache);
  Tensor y = mlp_ ? mlp_->forward(ctx, input, &state->mlp, keep, MemoryCategory::buffers)
                  : moe_->forward(ctx, microbatch, input, &state->moe, keep, totals);
  apply_dropout(ctx, microbatch, layer_, DropoutSite::mlp, y);
  return {y, state->h};
}

void Block::restore(const LayerContext& ctx, const Microbatch& microbatch,
                    const ops::RopeTable& rope, BlockState* state) const {
  const Tensor input = run_to_mlp(ctx, microbatch, rope, Tensor(), state, Keep::for_backward,
                                  /*cache=*/nullptr);
  if (mlp_) {
    mlp_->restore(ctx, input, &state->mlp);
  } else {
    moe_->restore(ctx, microbatch, input, &state->moe);
  }
}

Tensor Block::run_to_mlp(const LayerContext& ctx, const Microbatch& microbatch,
                         const ops::RopeTable& rope, const Tensor& residual, BlockState* state,
                         Keep keep, LayerCache* cache) const {
  state->h =
      attention_.forward(ctx, microbatch, rope, state->x, residual, &state->attention, keep, cache);
  ctx.device.recategorize(state->h, category_of(keep));
  return mlp_norm_.forward(ctx, state->h, state->x, &state->mlp_norm, category_of(keep));
}

void Block::backward(const LayerContext& ctx, const Microbatch& microbatch,
                     const ops::RopeTable& rope, BlockState* state, const Tensor& gradient) const {
  if (recompute_ == Recompute::full) restore(ctx, microbatch, rope, state);

  {
    Tensor input;  // of the MLP, computed again where a gradient needs it
    if (moe_ || mlp_->needs_input()) input = mlp_norm_.apply(ctx, state->h, state->mlp_norm);
    const Tensor dy = dropout_backward(ctx, microbatch, layer_, DropoutSite::mlp, gradient);
    const Tensor dinput = mlp_ ? mlp_->backward(ctx, dy, input, state->mlp)
                               : moe_->backward(ctx, microbatch, dy, input, state->moe);
    mlp_norm_.backward(ctx, dinput, state->h, state->mlp_norm, gradient, true);
  }
  state->mlp = {};
  state->moe = {};
  attention_.backward(ctx, microbatch, rope, state->x, state->attention, gradient);
  *state = {};
}

}  // namespace argosy
