// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Final norm, output projection and loss. The projection's rows are split over tp by vocabulary.
// Forward runs the projection's backward too, chunk of tokens by chunk, so that the logits of a
// micro-batch never exist as a whole; what remains for backward is the norm.
#pragma once

#include "trainer/layers/context.h"
#include "trainer/layers/norm.h"
#include "trainer/layers/parameters.h"

namespace argosy {

struct HeadState {
  Tensor x;  // (s, H)
  NormStatistics norm;
  Tensor dnormed;  // (s, H) gradient of the summed loss
};

class Head {
 public:
  Head(const LayerContext& ctx, const ParameterStore& store);

  // Adds the cross entropy of the micro-batch's unmasked tokens to loss_sum, fp64 (1) on the
  // device. With Keep::discard (evaluation) no gradient is computed.
  void forward(const LayerContext& ctx, const Microbatch& microbatch, const Hidden& x,
               HeadState* state, Keep keep, const Tensor& loss_sum) const;
  // Gradient (s, H) of x, scratch. Empties the state.
  Tensor backward(const LayerContext& ctx, HeadState* state) const;
  // Logits (n, V) of this rank in the statistic dtype, for tests and text generation.
  Tensor logits(const LayerContext& ctx, const Hidden& x) const;

 private:
  void add_chunk(const LayerContext& ctx, const Tensor& hidden, const Tensor& targets,
                 const Tensor& dhidden, bool with_gradient, const Tensor& loss_sum) const;

  Norm norm_;
  const Parameter* weight_;  // (V, H); the embedding table when tied
  int64_t first_id_;
  int64_t chunk_tokens_;
};

}  // namespace argosy
