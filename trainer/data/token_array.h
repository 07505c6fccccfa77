// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "trainer/data/dataset.h"

namespace argosy {

// Tokens that were made here, and which of them are to be predicted.
struct MarkedTokens {
  std::vector<int32_t> tokens;
  std::vector<bool> is_target;  // as many
  std::vector<bool> is_begin;   // as many, or none: of a row

  void mark(bool target) { is_target.resize(tokens.size(), target); }  // what came since
  void mark_row(size_t begin) {
    is_begin.resize(tokens.size());
    if (begin < tokens.size()) is_begin[begin] = true;
  }
};

class TokenArray : public TokenSource {
 public:
  TokenArray(MarkedTokens tokens, bool is_text)
      : tokens_(std::move(tokens)),
        is_text_(is_text),
        max_token_(*std::max_element(tokens_.tokens.begin(), tokens_.tokens.end())) {}

  int64_t num_tokens() const override { return static_cast<int64_t>(tokens_.tokens.size()); }
  int32_t token(int64_t index) const override { return tokens_.tokens[static_cast<size_t>(index)]; }
  bool is_target(int64_t index) const override {
    return tokens_.is_target[static_cast<size_t>(index)];
  }
  int64_t num_targets() const override {
    return std::count(tokens_.is_target.begin(), tokens_.is_target.end(), true);
  }
  int32_t max_token() const override { return max_token_; }
  bool knows_documents() const override { return !tokens_.is_begin.empty(); }
  bool begins_document(int64_t index) const override {
    return tokens_.is_begin[static_cast<size_t>(index)];
  }
  bool has_rows() const override { return knows_documents(); }
  std::vector<int64_t> row_begins() const override {
    std::vector<int64_t> begins;
    for (size_t i = 0; i < tokens_.is_begin.size(); ++i) {
      if (tokens_.is_begin[i]) begins.push_back(static_cast<int64_t>(i));
    }
    return begins;
  }
  bool is_text() const override { return is_text_; }
  int64_t held_bytes() const override {
    constexpr size_t kBitsOfByte = 8;
    return static_cast<int64_t>(tokens_.tokens.size() * sizeof(int32_t) +
                                (tokens_.is_target.size() + tokens_.is_begin.size()) / kBitsOfByte);
  }

 private:
  MarkedTokens tokens_;  // not empty
  bool is_text_;
  int32_t max_token_;
};

}  // namespace argosy
