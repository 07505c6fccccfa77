// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/decoder.h"

#include <algorithm>

#include "trainer/device/host_copy.h"
#include "trainer/microbatches.h"

namespace argosy {

Decoder::Decoder(const LayerContext& ctx, Stage& stage, int64_t most_rows)
    : ctx_(ctx), stage_(stage), cache_(stage.make_cache(ctx)), most_rows_(most_rows) {}

void Decoder::move_window(int64_t num_tokens) {
  const int64_t window = ctx_.plan.seq_len;
  if (num_tokens - first_ <= window) return;
  first_ = num_tokens - (cache_.length() == 0 ? window : (window + 1) / 2);
  cache_.clear();
}

std::vector<double> Decoder::next_logits(const std::vector<int32_t>& tokens) {
  const auto num_tokens = static_cast<int64_t>(tokens.size());
  CHECK(num_tokens > first_ + cache_.length(), num_tokens, " tokens after ",
        first_ + cache_.length());
  move_window(num_tokens);
  Tensor logits;
  while (first_ + cache_.length() < num_tokens) {
    const int64_t begin = first_ + cache_.length();
    const int64_t end = std::min(begin + most_rows_, num_tokens);
    const Microbatch rows =
        make_text_microbatch(ctx_, {tokens.begin() + begin, tokens.begin() + end}, cache_.length());
    logits = stage_.next_logits(ctx_, rows, &cache_);
  }
  return copy_to_doubles(logits);
}

}  // namespace argosy
