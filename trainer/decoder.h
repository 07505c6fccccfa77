// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A text that grows token by token, on one rank: what was computed of its tokens is kept.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/layers/context.h"
#include "trainer/layers/stage.h"

namespace argosy {

// The model sees a window of the text, plan.seq_len tokens at most, whose positions begin with it.
// When the text outgrows it, a new window begins with the newest half of the old one, which is
// computed anew: one further row for each token, on average. Of a first text that is longer, the
// last plan.seq_len tokens are seen.
class Decoder {
 public:
  // Tokens that pass the network at once: more gain nothing and take memory.
  static constexpr int64_t kMostRows = 512;

  Decoder(const LayerContext& ctx, Stage& stage, int64_t most_rows = kMostRows);

  // Logits (V) of the token behind `tokens`: those of the call before and at least one more.
  std::vector<double> next_logits(const std::vector<int32_t>& tokens);
  // The text's first token that is seen.
  int64_t window_begin() const { return first_; }

 private:
  void move_window(int64_t num_tokens);

  const LayerContext& ctx_;
  Stage& stage_;
  DecodingCache cache_;
  int64_t most_rows_;
  int64_t first_ = 0;  // the text's token in row 0 of the cache
};

}  // namespace argosy
