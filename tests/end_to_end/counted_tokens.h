// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include "trainer/data/dataset.h"

namespace argosy {

// Tokens whose text nobody reads: every seventh of the vocabulary in turn.
class CountedTokens : public TokenSource {
 public:
  explicit CountedTokens(int64_t vocab_size) : vocab_size_(vocab_size) {}
  int64_t num_tokens() const override { return 1000; }
  int32_t token(int64_t index) const override {
    return static_cast<int32_t>(index * 7 % vocab_size_);
  }
  bool is_target(int64_t) const override { return true; }
  int32_t max_token() const override { return static_cast<int32_t>(vocab_size_ - 1); }

 private:
  int64_t vocab_size_;
};

}  // namespace argosy
