// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Tokens that are found in a text as they are written, before anything else: "added_tokens" of a
// tokenizer.json, <|endoftext|> and the like.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/tokenizer/pattern.h"

namespace argosy {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool is_special = false;                         // left out of decoded text
  bool is_normalized = true;                       // sought in the normalized text
  bool strips_left = false, strips_right = false;  // takes the blanks beside it with it
  bool is_single_word = false;                     // only where no letter or digit stands beside it
};

// A part of a text: the token there, or -1.
struct TextSegment {
  TextRange range;
  int32_t token = -1;
};

// Finds tokens in texts: the leftmost first, of several at one place the longest.
class AddedTokenSearch {
 public:
  AddedTokenSearch() = default;
  explicit AddedTokenSearch(std::vector<AddedToken> tokens);

  // The whole text, cut where a token is; segments without text are left out.
  std::vector<TextSegment> cut(std::string_view text) const;

 private:
  const AddedToken* token_at(std::string_view text, size_t begin) const;

  std::vector<AddedToken> tokens_;     // by their first byte, then the longest first
  std::array<uint32_t, 257> first_{};  // tokens_ that begin with byte b: [first_[b], first_[b + 1])
};

}  // namespace argosy
