// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A norm, output projection and loss: behind the layers, and again behind each module for
// multi-token prediction, which has a norm of its own. The projection's rows are split over tp by
// vocabulary. Forward runs the projection's backward too, chunk of tokens by chunk, so that the
// logits of a micro-batch never exist as a whole; what remains for backward is the norm.
#pragma once

#include "trainer/layers/context.h"
#include "trainer/layers/norm.h"
#include "trainer/layers/parameters.h"

namespace argosy {

struct HeadState {
  Tensor x;  // (s, H)
  NormStatistics norm;
  Tensor gain;     // (H) of the norm, where a module reads the normed state
  Tensor dnormed;  // (s, H) gradient of the summed loss, and of who else reads the normed state
};

class Head {
 public:
  // layer: TensorSpec::layer of the final norm, or of the module.
  Head(const LayerContext& ctx, const ParameterStore& store, int layer);

  // Adds the cross entropy of the micro-batch's unmasked tokens to loss_sum, fp64 (1) on the
  // device; gradients are that of it times the micro-batch's loss_weight. With Keep::discard
  // (evaluation) no gradient is computed. Returns the normed x (s, H), scratch.
  Tensor forward(const LayerContext& ctx, const Microbatch& microbatch, const Hidden& x,
                 HeadState* state, Keep keep, const Tensor& loss_sum) const;
  // What forward() with Keep::for_backward returned, again; scratch. In a model with modules for
  // multi-token prediction, whose backward passes read it: they run where the norm's own gain, with
  // ZeRO 3, is in shards.
  static Tensor normed(const LayerContext& ctx, const HeadState& state);
  // Gradient (s, H) of x, scratch. Empties the state.
  Tensor backward(const LayerContext& ctx, HeadState* state) const;
  // Logits (n, V) of this rank in the statistic dtype, for tests and text generation.
  Tensor logits(const LayerContext& ctx, const Hidden& x) const;

 private:
  // Rows of the micro-batch. weight: of the loss in the gradients.
  struct Chunk {
    Tensor hidden, targets;
    Tensor dhidden;  // undefined: no gradients
    double weight = 1;
  };
  void add_chunk(const LayerContext& ctx, const Chunk& chunk, const Tensor& loss_sum) const;

  Norm norm_;
  const Parameter* weight_;  // (V, H); the embedding table when tied
  int64_t first_id_;
  int64_t chunk_tokens_;
};

}  // namespace argosy
