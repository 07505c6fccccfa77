// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "trainer/data/dataset.h"

namespace argosy {

// Tokens of a file whose documents end with any of several tokens.
class EndedDocuments : public TokenSource {
 public:
  EndedDocuments(std::shared_ptr<TokenSource> tokens, std::vector<int32_t> ends)
      : tokens_(std::move(tokens)), ends_(std::move(ends)) {}

  int64_t num_tokens() const override { return tokens_->num_tokens(); }
  int32_t token(int64_t index) const override { return tokens_->token(index); }
  bool is_target(int64_t index) const override { return tokens_->is_target(index); }
  int64_t num_targets() const override { return tokens_->num_targets(); }
  int32_t max_token() const override { return tokens_->max_token(); }
  bool knows_documents() const override { return true; }
  bool begins_document(int64_t index) const override {
    return index == 0 ||
           std::find(ends_.begin(), ends_.end(), tokens_->token(index - 1)) != ends_.end();
  }
  bool is_text() const override { return tokens_->is_text(); }
  int64_t held_bytes() const override { return tokens_->held_bytes(); }

 private:
  std::shared_ptr<TokenSource> tokens_;
  std::vector<int32_t> ends_;
};

}  // namespace argosy
