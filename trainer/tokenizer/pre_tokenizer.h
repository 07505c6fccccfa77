// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Cuts a text into pieces, each of which becomes tokens by itself ("pre_tokenizer" of a
// tokenizer.json): words, numbers, blanks.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "trainer/tokenizer/normalizer.h"
#include "trainer/tokenizer/pattern.h"

namespace argosy {

// What becomes of the text that a pattern finds: a piece of its own, nothing, a part of the piece
// before or behind it, or one piece with the matches beside it.
enum class SplitBehavior { isolated, removed, merged_with_previous, merged_with_next, contiguous };

struct Split {
  Pattern pattern;
  SplitBehavior behavior = SplitBehavior::isolated;
  bool invert = false;  // what the pattern does not find counts as found
};
// A blank before each piece that does not begin with one.
struct PrefixSpace {};
// SentencePiece's way: blanks become a visible character, which also stands before pieces.
struct Metaspace {
  enum class Prefix { always, first, never };  // first: of the text alone
  ReplaceAll replace_blanks;                   // content is the visible character
  Prefix prefix = Prefix::always;
  std::optional<Split> split;  // before each visible character
};
Metaspace make_metaspace(const std::string& visible, Metaspace::Prefix prefix, bool splits);
using PreTokenizerStep = std::variant<Split, PrefixSpace, Metaspace>;

// Pieces of a text: parts of it, or of `changed`.
struct Pieces {
  std::vector<std::string_view> pieces;  // none is empty
  std::deque<std::string> changed;       // texts that steps have made; addresses stay
};

// Adds the pieces of `text`, which must live on.
void append_pieces(const std::vector<PreTokenizerStep>& steps, std::string_view text,
                   TextStart start, Pieces& pieces);

// What GPT-2 splits by where a file says "use_regex" (src/encoder.py there).
extern const char* const kGpt2Pattern;

}  // namespace argosy
