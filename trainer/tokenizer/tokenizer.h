// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Text to tokens and back, by the rules of a tokenizer.json.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/tokenizer/tokenizer_rules.h"

namespace argosy {

// The tokenizer of models that have none: bytes 0-255, end of text, padding. Nothing in a text is
// looked for, so that every text comes back, valid UTF-8 or not.
inline constexpr int32_t kEndOfText = 256;
inline constexpr int32_t kPadToken = 257;
inline constexpr int32_t kByteVocabulary = 258;

// Immutable: threads share it.
class Tokenizer {
 public:
  explicit Tokenizer(TokenizerRules rules);
  static Tokenizer of_bytes();

  bool is_of_bytes() const { return is_of_bytes_; }
  // One more than the largest id.
  int64_t num_tokens() const { return static_cast<int64_t>(rules_.texts.size()); }
  const TokenizerRules& rules() const { return rules_; }
  int32_t id_of(std::string_view text) const { return argosy::id_of(rules_, text); }
  // Texts of the added tokens that are special, the longest first.
  std::vector<std::string> special_texts() const;

  // Bytes: not always valid UTF-8, as a token may end inside a character. Special tokens and ids
  // without a token are left out.
  std::string decode(std::span<const int32_t> tokens) const;

 private:
  friend class TextEncoder;
  friend class TextDecoder;
  // What a decoder has of it; "" of what is left out.
  std::string_view text_of(int32_t token) const;

  TokenizerRules rules_;
  bool is_of_bytes_ = false;
  AddedTokenSearch in_text_, in_normal_text_;
  std::vector<bool> is_special_;  // (num_tokens)
};

// What one thread encodes with: words that it has met are looked up.
class TextEncoder {
 public:
  // `tokenizer` must live on.
  explicit TextEncoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  // Adds the tokens of a text, without those that the tokenizer puts around a whole one; with
  // TextStart::inside_text of one that goes on from what was added before, and no token holds parts
  // of both. Throws ConfigError where the text is not UTF-8, naming the byte.
  void append(std::string_view text, std::vector<int32_t>& tokens,
              TextStart start = TextStart::of_text);

 private:
  void append_segment(std::string_view text, TextStart start, std::vector<int32_t>& tokens);
  void append_piece(std::string_view piece, std::vector<int32_t>& tokens);

  const Tokenizer* tokenizer_;
  TextMap<std::vector<int32_t>> words_;  // tokens of pieces
};

// The text of tokens that come one by one, as Tokenizer::decode has it.
class TextDecoder {
 public:
  // `tokenizer` must live on.
  explicit TextDecoder(const Tokenizer& tokenizer)
      : tokenizer_(&tokenizer), tokens_(tokenizer.rules().decoder) {}

  // What one token more makes known, in whole characters: no later token changes it. And what
  // remains at the end.
  std::string append(int32_t token);
  std::string end();

 private:
  const Tokenizer* tokenizer_;
  TokenDecoder tokens_;
  std::string unfinished_;  // the beginning of a character
};

// A whole text, with what the tokenizer puts around it (<s>).
std::vector<int32_t> encode(const Tokenizer& tokenizer, std::string_view text);

}  // namespace argosy
