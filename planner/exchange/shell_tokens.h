// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A shell script as words, arrays and operators, nothing replaced yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace argosy {

struct ShellToken {
  enum class Kind { word, array, op, newline };
  Kind kind = Kind::word;
  std::string text;                // a word with its quotes, "NAME=" or "NAME+=" of an array
  std::vector<std::string> items;  // words of an array
  std::string body;                // what << reads
  int64_t line = 1;

  bool is_word(std::string_view word) const { return kind == Kind::word && text == word; }
  bool is_op(std::string_view op) const { return kind == Kind::op && text == op; }
};

// Comments, continued lines and here-documents are understood. Throws ConfigError for a quote or
// bracket that is not closed; its message begins with `where`.
std::vector<ShellToken> shell_tokens(std::string_view text, const std::string& where);

// The same of a list of words over any number of lines, where ; & | ( ) < > are letters.
std::vector<std::string> raw_words(std::string_view text, const std::string& where);

// Behind the character, escape, quoted text, $(...), ${...} or `...` that begins at `at`; npos: it
// is not closed.
size_t end_of_part(std::string_view text, size_t at);

// Characters of "NAME=" or "NAME+=" that `word` begins with; 0: it is no assignment.
size_t assignment_prefix(std::string_view word);

bool is_name_character(char c);  // of a variable

bool is_flag(std::string_view word);  // --name

}  // namespace argosy
