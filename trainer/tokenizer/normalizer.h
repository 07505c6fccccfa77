// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What happens to a text before it is cut into pieces ("normalizer" of a tokenizer.json).
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "trainer/tokenizer/pattern.h"

namespace argosy {

// Unicode's normal forms (annex 15), by utf8proc.
struct UnicodeForm {
  bool composed = true;        // NFC, NFKC; else NFD, NFKD
  bool compatibility = false;  // NFKC, NFKD
};
struct Prepend {  // nothing before an empty text
  std::string prefix;
};
struct ReplaceAll {
  Pattern pattern;
  std::string content;
};
using NormalizerStep = std::variant<UnicodeForm, Prepend, ReplaceAll>;

// What stands before a piece of text: nothing, a token, or the text that it continues. What marks
// the beginning of words, SentencePiece's blank, is put before the first two alone.
enum class TextStart { of_text, behind_token, inside_text };

// One step after the other; `text` must be valid UTF-8, and so is the result.
std::string normalize(const std::vector<NormalizerStep>& steps, std::string_view text,
                      TextStart start = TextStart::of_text);

// Also a decoder's step.
std::string replace_all(const ReplaceAll& step, std::string_view text);

}  // namespace argosy
