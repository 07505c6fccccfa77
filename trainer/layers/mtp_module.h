// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A module for multi-token prediction (DeepSeek-V3, arXiv:2412.19437 section 2.2): of each token's
// state and the embedding of the token k on it makes a state that predicts the one behind that,
//   h' = block(M [norm(embedding); norm(h)]), loss of head(norm(h')).
// h is what the head before it multiplies, behind that head's norm, be it the model's or that of
// the module before: as Megatron-LM's MultiTokenPredictionLayer returns it and vLLM's DeepSeek
// model hands it to deepseek_mtp.py. Both put the embedding first in M's input. Embedding and
// projection to the vocabulary are the model's; evaluation and generation leave modules out.
#pragma once

#include "trainer/layers/block.h"
#include "trainer/layers/context.h"
#include "trainer/layers/head.h"
#include "trainer/layers/linear.h"
#include "trainer/layers/norm.h"

namespace argosy {

struct MtpState {
  Tensor embedding;  // (s, H)
  NormStatistics embedding_norm, hidden_norm;
  BlockState block;
  HeadState head;
};

class MtpModule {
 public:
  // module: from 0. moe_index: as Block has it.
  MtpModule(const LayerContext& ctx, const ParameterStore& store, int64_t module, int moe_index);

  int layer() const { return layer_; }

  // embedding (s, H) in buffers, which becomes the state's; hidden (s, H) as above. Adds the loss
  // of the micro-batch's targets to loss_sum, as Head does, and returns the normed state (s, H),
  // scratch. totals may be null.
  Tensor forward(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
                 const Tensor& embedding, const Tensor& hidden, MtpState* state,
                 const Tensor& loss_sum, RouterTotals* totals) const;
  // hidden as in forward; its gradient is added to dhidden (s, H). Returns the gradient of the
  // embedding, scratch; undefined where that is frozen. Empties the state.
  Tensor backward(const LayerContext& ctx, const Microbatch& microbatch, const ops::RopeTable& rope,
                  const Tensor& hidden, const Tensor& dhidden, MtpState* state) const;

 private:
  int layer_;
  Norm embedding_norm_, hidden_norm_;
  Linear projection_;  // (2H) -> (H), on this rank's part of the sequence
  Block block_;
  Head head_;
};

}  // namespace argosy
