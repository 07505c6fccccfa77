// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What decoding reads and computes for one token: the tensors of planner/spec, grouped as inference
// engines fuse them (q, k and v in one product, gate and up in one).
#pragma once

#include <cstdint>
#include <vector>

#include "planner/spec/model.h"

namespace argosy {

// Products with weights that one kernel does. Elements are of the whole model, before the tp split.
struct WeightProduct {
  double split_elements = 0;       // cut by tp
  double kv_elements = 0;          // cut by tp, but not beyond the key/value heads
  double replicated_elements = 0;  // on every rank
  double share_per_token = 1;      // of the elements that one token uses: top_k / experts
};

// Layers that are alike.
struct DecodeLayer {
  int64_t count = 0;
  std::vector<WeightProduct> products;
  int64_t num_small_ops = 0;  // norms, RoPE, activation, the cache's append: launches
  int64_t window = 0;         // keys that a token sees and the cache keeps at most; 0: all

  double seen_keys(double keys) const;
};

struct DecodeModel {
  double parameters = 0;        // all of the model's, without modules for multi-token prediction
  double table_parameters = 0;  // looked up by row, not streamed: token and position embedding
  std::vector<DecodeLayer> layers;
  WeightProduct head;  // a tied head streams the token embedding
  bool is_table_the_head = false;
  int64_t kv_elements_per_layer = 0;  // of one token: keys and values

  // Tokens that all layers together keep of a sequence of `keys` tokens.
  double cached_tokens(double keys) const;
};

DecodeModel decode_model(const ModelSpec& model);

// Weights that at least one of `tokens` tokens uses, as a share of all: experts are chosen at
// random.
double used_share(const WeightProduct& product, double tokens);

// The same shape with about `parameters` parameters: width and depth shrink together (depth makes
// up for what width, a multiple of `head_multiple` heads, cannot meet).
ModelSpec resized(const ModelSpec& model, double parameters, int64_t head_multiple);

}  // namespace argosy
