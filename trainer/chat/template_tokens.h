// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "trainer/chat/template_lexer.h"

namespace argosy::jinja {

// Tokens one after the other; the `end` is never passed. What is not as expected is a ConfigError.
class TokenStream {
 public:
  TokenStream(std::vector<Token> tokens, std::string where)
      : tokens_(std::move(tokens)), where_(std::move(where)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& following() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  int line() const { return current().line; }
  Token take();

  bool is(TokenKind kind) const { return current().kind == kind; }
  bool is_symbol(std::string_view text) const;
  bool is_name(std::string_view text) const;
  bool skip_symbol(std::string_view text);
  bool skip_name(std::string_view text);
  void expect(TokenKind kind);
  void expect_symbol(std::string_view text);
  void expect_name(std::string_view text);
  std::string expect_any_name();

  [[noreturn]] void fail(const std::string& what) const { fail_at(where_, line(), what); }
  // "unexpected ..., expected ..."
  [[noreturn]] void fail_expecting(std::string_view what) const;

 private:
  std::vector<Token> tokens_;
  std::string where_;
  size_t at_ = 0;
};

}  // namespace argosy::jinja
