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

// Text of the tokens; not always valid UTF-8, as tokens may end inside a character. Without steps
// blanks stand between tokens.
std::string decode_tokens(const std::vector<DecoderStep>& steps, std::vector<std::string> tokens);

}  // namespace argosy
