// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Queries, keys and values of latent attention (DeepSeek-V2, arXiv:2405.04434 section 2.1):
//   latents   q_a x (q_rank) and kv_a x (kv_rank + rope_dim) of the rank's own tokens, the first
//             normed, of the second the first kv_rank; what is left of it is a key's last part
//   heads     q = q_b of the one, keys' first part and values = kv_b of the other, heads of the
//   rank
// Without q_rank queries are a Linear of x. Between the two, ranks of tp gather the latents, side
// by side in one tensor; backward sums their gradients over the heads of all ranks.
#pragma once

#include <optional>

#include "trainer/layers/heads.h"
#include "trainer/ops/latent_heads.h"

namespace argosy {

// Kept by forward.
struct LatentState {
  Heads heads;                     // ready
  Tensor q_latent;                 // (s, q_rank), before its norm
  Tensor kv_latent;                // (s, kv_rank + rope_dim), before its norm
  NormStatistics q_norm, kv_norm;  // (s)
  Tensor q_a_lora, kv_a_lora;      // (s, r)
  Tensor q_lora, kv_b_lora;        // (n, r)
};

class LatentProjections {
 public:
  LatentProjections(const LayerContext& ctx, const ParameterStore& store, int layer);

  int64_t num_heads() const { return heads_.num_heads; }

  // As HeadProjections'.
  Heads forward(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
                const Tensor& normed, LatentState* state, MemoryCategory kept) const;
  Tensor backward(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
                  const NormedInput& input, const LatentState& state, Heads gradient) const;

 private:
  // What the Linears of heads read, or its gradient: (s or n, ...) each.
  struct Latents {
    Tensor q;       // q_rank; undefined without it
    Tensor kv;      // kv_rank
    Tensor shared;  // rope_dim: every key's last part, before it turns
  };
  Tensor join(const LayerContext& ctx, const Latents& latents) const;
  Latents split(const LayerContext& ctx, const Tensor& joined) const;
  // Of this rank's tokens -> of all of the group's.
  Latents gather(const LayerContext& ctx, const Latents& latents) const;
  // Sums over this rank's heads -> over all, of this rank's tokens. Consumes them.
  Latents reduce(const LayerContext& ctx, const Latents& sums) const;

  // Of (s, kv_rank + rope_dim) the first columns, and the last.
  Tensor compressed(const LayerContext& ctx, const Tensor& kv_latent) const;
  Tensor shared(const LayerContext& ctx, const Tensor& kv_latent) const;
  // The normed latents from what is kept.
  Latents again(const LayerContext& ctx, const LatentState& state) const;
  // Gradients of the latents (s, ...) -> of the normed input (s, H), added to dx or written.
  void latents_backward(const LayerContext& ctx, const ProductOperand& normed,
                        const LatentState& state, const Latents& gradient, const Tensor& dx,
                        bool accumulate) const;

  std::optional<Linear> q_a_;
  std::optional<Norm> q_norm_;
  Linear q_;  // q_b, or q of the input
  Linear kv_a_;
  Norm kv_norm_;
  Linear kv_b_;
  int64_t q_rank_, kv_rank_;
  ops::LatentHeadShape heads_;          // of this rank
  ops::RopePart of_query_, of_shared_;  // what turns
};

}  // namespace argosy
