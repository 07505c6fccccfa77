// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// One transformer block: y = h + mlp(norm(h)) with h = attention(x) (pre-norm, both residuals
// inside), dense or mixture, kept whole or recomputed from its input.
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

  // x (s, H) -> y (s, H) in buffers. With Keep::for_backward x moves to activations and belongs to
  // the state.
  Tensor forward(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
                 const Tensor& x, BlockState* state, Keep keep, RouterTotals* totals) const;
  // gradient (s, H): in, of y; out, of x. Empties the state.
  void backward(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
                BlockState* state, const Tensor& gradient) const;

 private:
  Tensor run(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
             BlockState* state, Keep keep, RouterTotals* totals) const;

  int layer_;
  Recompute recompute_;
  Attention attention_;
  Norm mlp_norm_;
  std::optional<Mlp> mlp_;
  std::optional<Moe> moe_;
};

}  // namespace argosy
