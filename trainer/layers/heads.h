// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Queries, keys and values as attention reads them, each from a Linear of the normed input: with
// norms of q and k (q_norm, k_norm) and the rotation. Heads are split over tp.
#pragma once

#include "trainer/layers/context.h"
#include "trainer/layers/head_norms.h"
#include "trainer/layers/linear.h"
#include "trainer/layers/norm.h"
#include "trainer/ops/rope.h"

namespace argosy {

// (n, hq*D), (n, hk*D), (n, hk*Dv), or gradients of these shapes; Dv is D but for latent attention.
// Where heads are exchanged (Ulysses) all tokens of a part of the heads: (B*T, hq/cp*D).
struct Heads {
  Tensor q, k, v;
};

// The input of a block's attention, (s, H), which is made again where a gradient needs it.
struct NormedInput {
  const Norm& norm;
  const Tensor& x;
  const NormStatistics& statistics;
  Tensor again(const LayerContext& ctx) const { return norm.apply(ctx, x, statistics); }
};

// Kept by forward.
struct ProjectionState {
  Heads heads;  // ready, or with q_norm/k_norm q and k before the norm
  HeadNormStatistics norms;
  Tensor q_lora, k_lora, v_lora;  // (n, r)
};

class HeadProjections {
 public:
  HeadProjections(const LayerContext& ctx, const ParameterStore& store, int layer);

  int64_t num_heads() const { return q_.out_features() / head_dim_; }
  int64_t num_kv_heads() const { return k_.out_features() / head_dim_; }

  // `normed` (s, H).
  Heads forward(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
                const Tensor& normed, ProjectionState* state, MemoryCategory kept) const;
  // The same heads from what is kept.
  Heads ready(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
              const ProjectionState& state) const;
  // Gradients of the heads, which it writes over -> gradient of the normed input (s, H).
  Tensor backward(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
                  const NormedInput& input, const ProjectionState& state, Heads gradient) const;

 private:
  // A Linear of the normed input (n, H), as attention works on it.
  Tensor project(const LayerContext& ctx, const Microbatch& microbatch, const Linear& linear,
                 const ProductOperand& input, Tensor* lora, MemoryCategory kept) const;
  // In place, the part of each head that turns.
  void turn(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
            const QueryKey& x, bool inverse) const;

  Linear q_, k_, v_;
  HeadNorms norms_;
  int64_t head_dim_;
  ops::RopePart turning_;
  bool use_rope_;
};

}  // namespace argosy
