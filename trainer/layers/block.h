// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One transformer block: h = x + attention(x), y = h + mlp(norm(h)) (pre-norm), dense or mixture,
// kept whole or recomputed from its input. Residuals are added by the norm that reads the sum: the
// one after the attention here, that of the next block or the head for y.
#pragma once

#include <optional>

#include "trainer/layers/attention.h"
#include "trainer/layers/context.h"
#include "trainer/layers/mlp.h"
#include "trainer/layers/moe.h"
#include "trainer/layers/norm.h"

namespace argosy {

struct BlockState {
  Tensor x;  // (s, H) the block's input
  AttentionState attention;
  Tensor h;  // (s, H) between the halves
  NormStatistics mlp_norm;
  MlpState mlp;
  MoeState moe;
};

class Block {
 public:
  // moe_index: position among the mixture layers of this stage, or -1 for a dense MLP.
  Block(const LayerContext& ctx, const ParameterStore& store, int layer, int moe_index);

  // x (s, H) -> y (s, H) in buffers. x.branch becomes the sum; with Keep::for_backward it moves to
  // activations and belongs to the state. cache: as Attention::forward has it.
  Hidden forward(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
                 const Hidden& x, BlockState* state, Keep keep, RouterTotals* totals,
                 LayerCache* cache = nullptr) const;
  // gradient (s, H): in, of y; out, of x. Empties the state.
  void backward(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
                BlockState* state, const Tensor& gradient) const;

 private:
  // From state->x, to which `residual` is added first, unless it is undefined.
  Hidden run(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
             const Tensor& residual, BlockState* state, Keep keep, RouterTotals* totals,
             LayerCache* cache) const;
  // From state->x up to the last value that backward() reads.
  void restore(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
               BlockState* state) const;
  // The first half, and the input of the MLP.
  Tensor run_to_mlp(const LayerContext& ctx, const Microbatch& microbatch,
                    const ops::RopeTable& rope, const Tensor& residual, BlockState* state,
                    Keep keep, LayerCache* cache) const;

  int layer_;
  Recompute recompute_;
  Attention attention_;
  Norm mlp_norm_;
  std::optional<Mlp> mlp_;
  std::optional<Moe> moe_;
};

}  // namespace argosy
