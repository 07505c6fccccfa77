// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The attention half of a block: y = o(attention(q, k, v)), where heads.h, or for latent attention
// latent_projections.h, makes q, k, v of norm(x).
// Heads are split over tp; context_attention.h has what happens between the ranks of cp.
#pragma once

#include <optional>

#include "trainer/layers/context.h"
#include "trainer/layers/decoding_cache.h"
#include "trainer/layers/heads.h"
#include "trainer/layers/latent_projections.h"
#include "trainer/layers/linear.h"
#include "trainer/layers/norm.h"
#include "trainer/ops/attention.h"
#include "trainer/ops/rope.h"

namespace argosy {

// Result of the softmax over all keys.
struct AttentionResult {
  Tensor out;  // (n, hq*Dv)
  Tensor lse;  // (n, hq); (B*T, hq/cp) where heads are exchanged
};

// Kept by forward; x itself is kept by the block.
struct AttentionState {
  NormStatistics norm;
  ProjectionState projections;
  LatentState latent;      // instead, with latent attention
  AttentionResult result;  // not with Recompute::selective
  Tensor o_lora;           // (n, r)
};

class Attention {
 public:
  Attention(const LayerContext& ctx, const ParameterStore& store, int layer);

  // x (s, H) -> y (s, H), in category buffers, without x. A `residual` is added to x first, unless
  // it is undefined. With a cache the rows continue the text in it, and join it; nothing is kept
  // for backward.
  Tensor forward(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
                 const Tensor& x, const Tensor& residual, AttentionState* state, Keep keep,
                 LayerCache* cache = nullptr) const;
  // gradient (s, H): in, of x + y; out, of x.
  void backward(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
                const Tensor& x, const AttentionState& state, const Tensor& gradient) const;

 private:
  Heads make_heads(const LayerContext& ctx, const Microbatch& microbatch,
                   const ops::RopeTable& rope, const Tensor& normed, AttentionState* state,
                   MemoryCategory kept) const;
  // The same from what is kept.
  Heads heads_again(const LayerContext& ctx, const Microbatch& microbatch,
                    const ops::RopeTable& rope, const AttentionState& state) const;
  // Gradients of heads -> of the normed input (s, H).
  Tensor heads_backward(const LayerContext& ctx, const Microbatch& microbatch,
                        const ops::RopeTable& rope, const Tensor& x, const AttentionState& state,
                        const Heads& gradient) const;
  ops::AttentionShape shape_of(const LayerContext& ctx, const Microbatch& microbatch) const;
  // Softmax over all keys.
  AttentionResult attend(const LayerContext& ctx, const Microbatch& microbatch, const Heads& heads,
                         MemoryCategory kept) const;
  // The same over the keys of a cache, to which those of `heads` are appended.
  AttentionResult attend_cached(const LayerContext& ctx, const Microbatch& microbatch,
                                const Heads& heads, LayerCache* cache) const;
  // Of a vector of the rank's heads (hq), the part of those that attention works on.
  Tensor of_heads_here(const LayerContext& ctx, const Tensor& x) const;
  // In place: the result over all keys -> with the sinks, if there are any.
  void add_sinks(const LayerContext& ctx, const AttentionResult& result) const;
  // Gradients in the shapes of `heads` from dout (n, hq*Dv).
  Heads attend_backward(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& dout,
                        const Heads& heads, const AttentionResult& result) const;

  Norm norm_;
  std::optional<HeadProjections> projections_;
  std::optional<LatentProjections> latent_;
  Linear o_;
  const Parameter* o_bias_;
  const Parameter* sinks_;  // (hq), null without
  int layer_;
  int64_t num_heads_, num_kv_heads_;  // of this rank
  int64_t head_dim_, value_dim_, window_;
  double scale_;
  bool keeps_result_;  // false: backward attends again
};

}  // namespace argosy
