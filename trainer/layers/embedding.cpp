// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/embedding.h"

#include "trainer/layers/dropout.h"
#include "trainer/layers/tensor_parallel.h"
#include "trainer/ops/embedding.h"

namespace argosy {

namespace {

constexpr int kEmbeddingLayer = -1;

// (s) of this rank's rows among the micro-batch's tokens.
Tensor positions_of(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& rows) {
  const int64_t s = rows.dim(0);
  const int64_t first = ctx.sequence_parallel() ? ctx.groups.coordinates().tp * s : 0;
  return microbatch.positions.rows(first, first + s);
}

}  // namespace

Embedding::Embedding(const LayerContext& ctx, const ParameterStore& store)
    : table_(&store.at(kEmbeddingLayer, TensorRole::embedding)),
      positions_(store.find(kEmbeddingLayer, TensorRole::position_embedding)),
      first_id_(
          split_range(ctx.plan.model.vocab_size, ctx.plan.mesh.tp, ctx.groups.coordinates().tp)
              .begin) {
  if (ctx.fault == Fault::vocabulary_offset_ignored) first_id_ = 0;
}

Tensor Embedding::forward(const LayerContext& ctx, const Microbatch& microbatch, int layer) const {
  const Tensor partial = ctx.scratch({microbatch.tokens(), ctx.hidden()});
  ops::embedding_forward(ctx.device, microbatch.inputs, table_->value, first_id_, partial);
  Tensor y = reduce_tokens(ctx, partial, MemoryCategory::buffers);
  if (positions_ != nullptr) {
    ops::add_positions(ctx.device, positions_->value, positions_of(ctx, microbatch, y), y);
  }
  apply_dropout(ctx, microbatch, layer, DropoutSite::embedding, y);
  return y;
}

void Embedding::backward(const LayerContext& ctx, const Microbatch& microbatch,
                         const Tensor& gradient, int layer) const {
  if (!table_->grad.defined()) return;
  const Tensor dy = dropout_backward(ctx, microbatch, layer, DropoutSite::embedding, gradient);
  if (positions_ != nullptr) {
    ops::positions_backward(ctx.device, dy, positions_of(ctx, microbatch, dy), positions_->grad);
  }
  ops::embedding_backward(ctx.device, gather_tokens(ctx, dy), microbatch.inputs, first_id_,
                          table_->grad);
}

}  // namespace argosy
