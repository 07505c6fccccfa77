// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Token embedding, its table split over tp by vocabulary rows, and GPT-2's learned positions.
#pragma once

#include "trainer/layers/context.h"
#include "trainer/layers/parameters.h"

namespace argosy {

class Embedding {
 public:
  Embedding(const LayerContext& ctx, const ParameterStore& store);

  // (s, H) in buffers. layer: whose masks of dropout; TensorSpec::layer of a module for multi-token
  // prediction that reads it too.
  Tensor forward(const LayerContext& ctx, const Microbatch& microbatch, int layer = -1) const;
  // gradient (s, H) of the output. Does nothing when the table is frozen.
  void backward(const LayerContext& ctx, const Microbatch& microbatch, const Tensor& gradient,
                int layer = -1) const;

 private:
  const Parameter* table_;      // (V, H)
  const Parameter* positions_;  // (max positions, H), or null
  int64_t first_id_;            // of this rank's rows
};

}  // namespace argosy
