// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The attention half of a block: y = o(attention(q, k, v)), where heads.h makes q, k, v of norm(x).
// Heads are split over tp; context_attention.h has what happens between the ranks of cp.
#pragma once

#include "trainer/layers/context.h"
#include "trainer/layers/decoding_cache.h"
#include "trainer/layers/heads.h"
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
  ops::AttentionShape shape_of(const LayerContext& ctx, const Microbatch& microbatch) const;
  // Softmax over all keys.
  AttentionResult attend(const LayerContext& ctx, const Microbatch& microbatch, const Heads& heads,
                         MemoryCategory kept) const;
  // The same over the keys of a cache, to which those of `heads` are appended.
  AttentionResult attend_cached(const LayerContext& ctx, const Microbatch& microbatch,
                                const Heads& heads, LayerCache* cache) const;
  // Gradients in the shapes of `heads` from dout (n, hq*Dv).
  Heads attend_backward(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& dout,
                        const Heads& heads, const AttentionResult& result) const;

  Norm norm_;
  HeadProjections projections_;
  Linear o_;
  const Parameter* o_bias_;
  int layer_;
  int64_t head_dim_, window_;
  bool keeps_result_;  // false: backward attends again
};

}  // namespace argosy
