// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The attention half of a block: y = o(attention(q, k, v)) with q, k, v Linears of norm(x).
// Heads are split over tp; context_attention.h has what happens between the ranks of cp.
#pragma once

#include "trainer/layers/context.h"
#include "trainer/layers/decoding_cache.h"
#include "trainer/layers/linear.h"
#include "trainer/layers/norm.h"
#include "trainer/ops/attention.h"
#include "trainer/ops/rope.h"

namespace argosy {

// Result of the softmax over all keys.
struct AttentionResult {
  Tensor out;  // (n, hq*D)
  Tensor lse;  // (n, hq); (B*T, hq/cp) where heads are exchanged
};

// Kept by forward; x itself is kept by the block. Where heads are exchanged (Ulysses) q, k, v and
// their statistics are of all tokens of a part of the heads: (B*T, hq/cp*D), as many elements.
struct AttentionState {
  NormStatistics norm;
  Tensor q, k,
      v;  // (n, hq*D), (n, hk*D), (n, hk*D); after RoPE, or with q_norm/k_norm before the norm
  Tensor q_rms, k_rms;                    // (n*hq), (n*hk) statistics of q_norm and k_norm
  AttentionResult result;                 // not with Recompute::selective
  Tensor q_lora, k_lora, v_lora, o_lora;  // (n, r)
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
  // A Linear of the normed input (n, H), as attention works on it.
  Tensor project(const LayerContext& ctx, const Microbatch& microbatch, const Linear& linear,
                 const ProductOperand& input, Tensor* lora, MemoryCategory kept) const;
  // Softmax over all keys, from ready q and k.
  AttentionResult attend(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& q,
                         const Tensor& k, const Tensor& v, MemoryCategory kept) const;
  // The same over the keys of a cache, to which k and v are appended.
  AttentionResult attend_cached(const LayerContext& ctx, const Microbatch& microbatch,
                                const Tensor& q, const Tensor& k, const Tensor& v,
                                LayerCache* cache) const;
  // Gradients in the shapes of q, k, v from dout (n, hq*D).
  void attend_backward(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& dout,
                       const Tensor& q, const Tensor& k, const Tensor& v,
                       const AttentionResult& result, const Tensor& dq, const Tensor& dk,
                       const Tensor& dv) const;
  // q or k as attention reads it, from what is kept.
  Tensor ready(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
               const Tensor& kept, const Tensor& rms, const Parameter* gain) const;
  // In place: gradient of a ready q or k -> gradient of the Linear's output.
  void ready_backward(const LayerContext& ctx, const Microbatch& microbatch,
                      const ops::RopeTable& rope, const Tensor& kept, const Tensor& rms,
                      const Parameter* gain, const Tensor& gradient) const;

  Norm norm_;
  Linear q_, k_, v_, o_;
  const Parameter* o_bias_;
  const Parameter* q_norm_;  // gain (D), null without q_norm/k_norm
  const Parameter* k_norm_;
  int layer_;
  int64_t heads_, kv_heads_, head_dim_, window_;
  bool use_rope_;
  bool keeps_result_;  // false: backward attends again
  double eps_;
};

}  // namespace argosy
