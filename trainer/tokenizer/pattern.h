// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A regular expression over UTF-8 text, as tokenizers are given them: PCRE2 with Unicode's classes
// (\p{L}, \s, \d), compiled to machine code. std::regex has no Unicode and no possessive
// quantifiers.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace argosy {

// [begin, end) of a text, in bytes.
struct TextRange {
  size_t begin = 0, end = 0;
  size_t size() const { return end - begin; }
  bool operator==(const TextRange&) const = default;
};

// Immutable: threads may search with one pattern at the same time.
class Pattern {
 public:
  // Throws ConfigError naming `where` and the place in the expression that PCRE2 refuses.
  Pattern(const std::string& expression, const std::string& where);
  // Finds `text` itself.
  static Pattern literal(const std::string& text, const std::string& where);

  // All matches from left to right; none is empty and none overlaps. `text` must be valid UTF-8.
  // Throws Error where PCRE2 gives up.
  std::vector<TextRange> find_all(std::string_view text) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
};

}  // namespace argosy
