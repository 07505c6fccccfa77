// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Keys and values of a text's tokens, kept so that a further token costs one row.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/tensor.h"

namespace argosy {

// Of one layer. Attention appends the rows of each pass and reads all of them.
struct LayerCache {
  Tensor k, v;         // (T, hk*D) each, k after its norm and RoPE
  int64_t length = 0;  // rows that are filled
};

// Of all layers of a stage, on one rank; one sequence.
struct DecodingCache {
  std::vector<LayerCache> layers;

  int64_t length() const { return layers.empty() ? 0 : layers.front().length; }
  void clear() {
    for (LayerCache& layer : layers) layer.length = 0;
  }
};

}  // namespace argosy
