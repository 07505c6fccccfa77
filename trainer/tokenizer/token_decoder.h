// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// From tokens, as a tokenizer.json writes them, back to text ("decoder" there).
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "trainer/tokenizer/normalizer.h"

namespace argosy {

struct JoinByteLevel {};   // characters that stand for bytes (byte_level.h)
struct JoinByteTokens {};  // <0x0A>: one byte; bytes that are no character become U+FFFD
struct JoinAll {};
struct StripEnds {  // up to so many `character` at the ends of each token
  std::string character;
  size_t at_begin = 0, at_end = 0;
};
// SentencePiece's visible character becomes a blank, or nothing where `drops_first` and it stands
// in the first token.
struct UndoMetaspace {
  ReplaceAll to_blank, to_nothing;
  bool drops_first = true;
};
using DecoderStep =
    std::variant<ReplaceAll, JoinByteLevel, JoinByteTokens, JoinAll, StripEnds, UndoMetaspace>;

// The byte that a token such as <0x0A> stands for, or -1.
int byte_of_token(std::string_view token);

// Text of tokens that come one by one; not always valid UTF-8, as tokens may end inside a
// character. Without steps blanks stand between tokens.
class TokenDecoder {
 public:
  // `steps` must live on.
  explicit TokenDecoder(const std::vector<DecoderStep>& steps);

  // What is known by one token more, and what remains at the end: no later token changes it. Bytes
  // wait for the end of their run, since one that belongs to no character changes all of it; a
  // whole text that a step replaces something in waits for its own.
  std::string append(std::string_view token);
  std::string end();

 private:
  struct Step;  // one step's work on one token
  struct State {
    bool is_joined = false;   // tokens that come here are parts of a single one
    bool is_first = true;     // no token has come to it
    size_t num_stripped = 0;  // characters at the beginning of the joined text
    bool is_begun = false;    // nothing more is to be stripped there
    std::string held;         // what has come and is not known
  };

  void pass(size_t step, std::string_view token);

  const std::vector<DecoderStep>* steps_;
  std::vector<State> states_;  // one a step
  bool is_first_ = true;       // no token has come yet
  std::string known_;
};

}  // namespace argosy
