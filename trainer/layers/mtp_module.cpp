// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/mtp_module.h"

#include "trainer/layers/columns.h"

namespace argosy {

namespace {

// (s, 2H): one beside the other.
Tensor join(const LayerContext& ctx, const Tensor& first, const Tensor& second) {
  const int64_t width = first.dim(1);
  Tensor joined = ctx.scratch({first.dim(0), 2 * width});
  put_columns(ctx, first, joined, 0);
  put_columns(ctx, second, joined, width);
  return joined;
}

// (s, H): one of the two.
Tensor half(const LayerContext& ctx, const Tensor& joined, int64_t index) {
  const int64_t width = joined.dim(1) / 2;
  return columns(ctx, joined, index * width, width);
}

}  // namespace

MtpModule::MtpModule(const LayerContext& ctx, const ParameterStore& store, int64_t module,
                     int moe_index)
    : layer_(ctx.plan.model.mtp_layer(module)),
      embedding_norm_(store.at(layer_, TensorRole::mtp_embedding_norm), ctx.plan.model.norm_eps),
      hidden_norm_(store.at(layer_, TensorRole::mtp_hidden_norm), ctx.plan.model.norm_eps),
      projection_(ctx, store, layer_, TensorRole::mtp_projection),
      block_(ctx, store, layer_, moe_index),
      head_(ctx, store, layer_) {}

Tensor MtpModule::forward(const LayerContext& ctx, const Microbatch& microbatch,
                          const ops::RopeTable& rope, const Tensor& embedding, const Tensor& hidden,
                          MtpState* state, const Tensor& loss_sum, RouterTotals* totals) const {
  constexpr Keep kKeep = Keep::for_backward;
  constexpr MemoryCategory kKept = category_of(kKeep);
  state->embedding = embedding;
  ctx.device.recategorize(embedding, kKept);
  const Tensor y = ctx.device.empty(hidden.shape(), ctx.compute(), MemoryCategory::buffers);
  {
    const Tensor e =
        embedding_norm_.forward(ctx, embedding, Tensor(), &state->embedding_norm, kKept);
    const Tensor h = hidden_norm_.forward(ctx, hidden, Tensor(), &state->hidden_norm, kKept);
    Tensor no_adapter;
    projection_.forward(ctx, join(ctx, e, h), y, &no_adapter, kKept);
  }
  const Hidden out =
      block_.forward(ctx, microbatch, rope, {y, Tensor()}, &state->block, kKeep, totals);
  return head_.forward(ctx, microbatch, out, &state->head, kKeep, loss_sum);
}

Tensor MtpModule::backward(const LayerContext& ctx, const Microbatch& microbatch,
                           const ops::RopeTable& rope, const Tensor& hidden, const Tensor& dhidden,
                           MtpState* state) const {
  const Tensor gradient = head_.backward(ctx, &state->head);
  block_.backward(ctx, microbatch, rope, &state->block, gradient);

  Tensor input;  // of the projection, where the gradient of its weight reads it
  if (projection_.needs_input()) {
    input = join(ctx, embedding_norm_.apply(ctx, state->embedding, state->embedding_norm),
                 hidden_norm_.apply(ctx, hidden, state->hidden_norm));
  }
  const Tensor dinput = ctx.scratch({gradient.dim(0), 2 * gradient.dim(1)});
  projection_.backward(ctx, gradient, input, Tensor(), dinput, false);
  input.reset();

  hidden_norm_.backward(ctx, half(ctx, dinput, 1), hidden, state->hidden_norm, dhidden, true);
  Tensor dembedding;
  if (ctx.plan.lora.rank == 0) {
    dembedding = ctx.scratch(gradient.shape());
    embedding_norm_.backward(ctx, half(ctx, dinput, 0), state->embedding, state->embedding_norm,
                             dembedding, false);
  }
  *state = {};
  return dembedding;
}

}  // namespace argosy
