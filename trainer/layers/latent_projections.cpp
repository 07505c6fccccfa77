// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/layers/latent_projections.h"

#include "trainer/layers/columns.h"
#include "trainer/layers/context_attention.h"
#include "trainer/layers/tensor_parallel.h"

namespace argosy {

namespace {

TensorRole role_of_queries(const ModelSpec& model) {
  return model.latent.q_rank > 0 ? TensorRole::q_b : TensorRole::q;
}

}  // namespace

LatentProjections::LatentProjections(const LayerContext& ctx, const ParameterStore& store,
                                     int layer)
    : q_(ctx, store, layer, role_of_queries(ctx.plan.model)),
      kv_a_(ctx, store, layer, TensorRole::kv_a),
      kv_norm_(store.at(layer, TensorRole::kv_a_norm), kLatentNormEps),
      kv_b_(ctx, store, layer, TensorRole::kv_b) {
  const ModelSpec& model = ctx.plan.model;
  const LatentAttention& latent = model.latent;
  q_rank_ = latent.q_rank;
  kv_rank_ = latent.kv_rank;
  heads_ = {.num_heads = q_.out_features() / model.head_dim,
            .nope_dim = latent.nope_dim,
            .rope_dim = latent.rope_dim,
            .value_dim = latent.value_dim};
  of_query_ = {.head_dim = model.head_dim,
               .begin = latent.nope_dim,
               .size = latent.rope_dim,
               .interleaved = latent.rope_interleaved};
  of_shared_ = {.head_dim = latent.rope_dim,
                .begin = 0,
                .size = latent.rope_dim,
                .interleaved = latent.rope_interleaved};
  if (q_rank_ > 0) {
    q_a_.emplace(ctx, store, layer, TensorRole::q_a);
    q_norm_.emplace(store.at(layer, TensorRole::q_a_norm), kLatentNormEps);
  }
}

Tensor LatentProjections::join(const LayerContext& ctx, const Latents& latents) const {
  const int64_t rows = latents.kv.dim(0);
  Tensor joined = ctx.scratch({rows, q_rank_ + kv_rank_ + heads_.rope_dim});
  if (q_rank_ > 0) put_columns(ctx, latents.q, joined, 0);
  put_columns(ctx, latents.kv, joined, q_rank_);
  put_columns(ctx, latents.shared, joined, q_rank_ + kv_rank_);
  return joined;
}

LatentProjections::Latents LatentProjections::split(const LayerContext& ctx,
                                                    const Tensor& joined) const {
  Latents latents;
  if (q_rank_ > 0) latents.q = columns(ctx, joined, 0, q_rank_);
  latents.kv = columns(ctx, joined, q_rank_, kv_rank_);
  latents.shared = columns(ctx, joined, q_rank_ + kv_rank_, heads_.rope_dim);
  return latents;
}

LatentProjections::Latents LatentProjections::gather(const LayerContext& ctx,
                                                     const Latents& latents) const {
  if (!ctx.sequence_parallel()) return latents;
  return split(ctx, gather_tokens(ctx, join(ctx, latents)));
}

LatentProjections::Latents LatentProjections::reduce(const LayerContext& ctx,
                                                     const Latents& sums) const {
  if (ctx.plan.mesh.tp == 1) return sums;
  return split(ctx, reduce_tokens(ctx, join(ctx, sums), MemoryCategory::workspace));
}

Tensor LatentProjections::compressed(const LayerContext& ctx, const Tensor& kv_latent) const {
  return columns(ctx, kv_latent, 0, kv_rank_);
}
Tensor LatentProjections::shared(const LayerContext& ctx, const Tensor& kv_latent) const {
  return columns(ctx, kv_latent, kv_rank_, heads_.rope_dim);
}

LatentProjections::Latents LatentProjections::again(const LayerContext& ctx,
                                                    const LatentState& state) const {
  Latents latents;
  if (q_rank_ > 0) latents.q = q_norm_->apply(ctx, state.q_latent, state.q_norm);
  latents.kv = kv_norm_.apply(ctx, compressed(ctx, state.kv_latent), state.kv_norm);
  latents.shared = shared(ctx, state.kv_latent);
  return latents;
}

Heads LatentProjections::forward(const LayerContext& ctx, const Microbatch& microbatch,
                                 const ops::RopeTable& rope, const Tensor& normed,
                                 LatentState* state, MemoryCategory kept) const {
  const bool exchange = exchanges_heads(ctx);
  const MemoryCategory of_heads = exchange ? MemoryCategory::workspace : kept;
  const int64_t s = normed.dim(0), n = microbatch.tokens(), heads = heads_.num_heads;
  const auto empty = [&](int64_t rows, int64_t cols, MemoryCategory category) {
    return ctx.device.empty({rows, cols}, ctx.compute(), category);
  };
  const ProductOperand input = normed, gathered = q_a_ ? input : gather_tokens(ctx, normed);
  Latents latents;
  if (q_a_) {
    state->q_latent = empty(s, q_rank_, kept);
    q_a_->forward(ctx, input, state->q_latent, &state->q_a_lora, kept);
    latents.q = q_norm_->forward(ctx, state->q_latent, Tensor(), &state->q_norm, kept);
  }
  state->kv_latent = empty(s, kv_rank_ + heads_.rope_dim, kept);
  kv_a_.forward(ctx, input, state->kv_latent, &state->kv_a_lora, kept);
  latents.kv =
      kv_norm_.forward(ctx, compressed(ctx, state->kv_latent), Tensor(), &state->kv_norm, kept);
  latents.shared = shared(ctx, state->kv_latent);
  latents = gather(ctx, latents);

  Heads& made = state->heads;
  made.q = empty(n, heads * heads_.key_dim(), of_heads);
  q_.forward(ctx, q_a_ ? ProductOperand(latents.q) : gathered, made.q, &state->q_lora, kept);
  const Tensor kv = ctx.scratch({n, heads * (heads_.nope_dim + heads_.value_dim)});
  kv_b_.forward(ctx, latents.kv, kv, &state->kv_b_lora, kept);
  ops::rope(ctx.device, made.q, of_query_, microbatch.positions, rope, false);
  ops::rope(ctx.device, latents.shared, of_shared_, microbatch.positions, rope, false);
  made.k = empty(n, heads * heads_.key_dim(), of_heads);
  made.v = empty(n, heads * heads_.value_dim, of_heads);
  ops::latent_heads_forward(ctx.device, heads_, kv, latents.shared, made.k, made.v);
  if (exchange) {
    for (Tensor* x : {&made.q, &made.k, &made.v}) *x = split_heads(ctx, microbatch, *x, kept);
  }
  return made;
}

Tensor LatentProjections::backward(const LayerContext& ctx, const Microbatch& microbatch,
                                   const ops::RopeTable& rope, const NormedInput& input,
                                   const LatentState& state, Heads gradient) const {
  if (exchanges_heads(ctx)) {
    for (Tensor* d : {&gradient.q, &gradient.k, &gradient.v}) {
      *d = join_heads(ctx, microbatch, *d, MemoryCategory::workspace);
    }
  }
  const int64_t n = microbatch.tokens();
  const Tensor dkv = ctx.scratch({n, heads_.num_heads * (heads_.nope_dim + heads_.value_dim)});
  Latents sums = {Tensor(), ctx.scratch({n, kv_rank_}), ctx.scratch({n, heads_.rope_dim})};
  ops::latent_heads_backward(ctx.device, heads_, gradient.k, gradient.v, dkv, sums.shared);
  ops::rope(ctx.device, gradient.q, of_query_, microbatch.positions, rope, true);
  ops::rope(ctx.device, sums.shared, of_shared_, microbatch.positions, rope, true);

  Latents latents;  // gathered again where a gradient needs them
  if ((q_a_ && q_.needs_input()) || kv_b_.needs_input()) latents = gather(ctx, again(ctx, state));
  ProductOperand normed;  // likewise
  const Linear& first = q_a_ ? *q_a_ : q_;
  if (kv_a_.needs_input() || first.needs_input()) normed = input.again(ctx);
  kv_b_.backward(ctx, dkv, latents.kv, state.kv_b_lora, sums.kv, false);
  Tensor dx;
  if (q_a_) {
    sums.q = ctx.scratch({n, q_rank_});
    q_.backward(ctx, gradient.q, latents.q, state.q_lora, sums.q, false);
    dx = ctx.scratch(input.x.shape());
  } else {
    const Tensor dinput = ctx.scratch({n, ctx.hidden()});
    const ProductOperand gathered =
        ctx.sequence_parallel() && q_.needs_input() ? gather_tokens(ctx, normed.values()) : normed;
    q_.backward(ctx, gradient.q, gathered, state.q_lora, dinput, false);
    dx = reduce_tokens(ctx, dinput, MemoryCategory::workspace);
  }
  latents_backward(ctx, normed, state, reduce(ctx, sums), dx, !q_a_);
  return dx;
}

void LatentProjections::latents_backward(const LayerContext& ctx, const ProductOperand& normed,
                                         const LatentState& state, const Latents& gradient,
                                         const Tensor& dx, bool accumulate) const {
  if (q_a_) {
    const Tensor dlatent = ctx.scratch(state.q_latent.shape());
    q_norm_->backward(ctx, gradient.q, state.q_latent, state.q_norm, dlatent, false);
    q_a_->backward(ctx, dlatent, normed, state.q_a_lora, dx, accumulate);
  }
  const Tensor dcompressed = ctx.scratch(gradient.kv.shape());
  kv_norm_.backward(ctx, gradient.kv, compressed(ctx, state.kv_latent), state.kv_norm, dcompressed,
                    false);
  const Tensor dlatent = ctx.scratch(state.kv_latent.shape());
  put_columns(ctx, dcompressed, dlatent, 0);
  put_columns(ctx, gradient.shared, dlatent, kv_rank_);
  kv_a_.backward(ctx, dlatent, normed, state.kv_a_lora, dx, accumulate || q_a_.has_value());
}

}  // namespace argosy
