// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace argosy::jinja {

enum class TokenKind {
  text,          // what stands between tags, white space already trimmed
  output_begin,  // {{
  output_end,    // }}
  tag_begin,     // {%
  tag_end,       // %}
  name,
  string,  // its value, escapes resolved
  integer,
  floating,
  symbol,  // an operator, a bracket, punctuation
  end,     // of the template
};

struct Token {
  TokenKind kind;
  std::string text;
  int line;  // from 1
};

// Throws ConfigError "where line N: what".
[[noreturn]] void fail_at(const std::string& where, int line, const std::string& what);

// The tokens of a template, with an `end` behind them; comments are gone. As transformers sets up
// Jinja: trim_blocks (the newline behind a tag goes), lstrip_blocks (so do blanks before a tag that
// is first in its line), and one newline at the very end. Throws ConfigError naming `where`, line
// and text.
std::vector<Token> tokenize(std::string_view source, const std::string& where);

}  // namespace argosy::jinja
