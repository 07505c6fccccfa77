// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/template_tokens.h"

#include "planner/spec/check.h"

namespace argosy::jinja {

namespace {

std::string in_words(TokenKind kind) {
  switch (kind) {
    case TokenKind::text:
      return "text";
    case TokenKind::output_begin:
      return "`{{`";
    case TokenKind::output_end:
      return "`}}`";
    case TokenKind::tag_begin:
      return "`{%`";
    case TokenKind::tag_end:
      return "`%}`";
    case TokenKind::name:
      return "a name";
    case TokenKind::string:
      return "a string";
    case TokenKind::integer:
    case TokenKind::floating:
      return "a number";
    case TokenKind::symbol:
      return "a symbol";
    case TokenKind::end:
      break;
  }
  return "the end of the template";
}

}  // namespace

Token TokenStream::take() {
  Token token = current();
  if (token.kind != TokenKind::end) ++at_;
  return token;
}

bool TokenStream::is_symbol(std::string_view text) const {
  return is(TokenKind::symbol) && current().text == text;
}

bool TokenStream::is_name(std::string_view text) const {
  return is(TokenKind::name) && current().text == text;
}

bool TokenStream::skip_symbol(std::string_view text) {
  const bool found = is_symbol(text);
  if (found) ++at_;
  return found;
}

bool TokenStream::skip_name(std::string_view text) {
  const bool found = is_name(text);
  if (found) ++at_;
  return found;
}

void TokenStream::expect(TokenKind kind) {
  if (!is(kind)) fail_expecting(in_words(kind));
  take();
}

void TokenStream::expect_symbol(std::string_view text) {
  if (!skip_symbol(text)) fail_expecting(concat("`", text, "`"));
}

void TokenStream::expect_name(std::string_view text) {
  if (!skip_name(text)) fail_expecting(concat("`", text, "`"));
}

std::string TokenStream::expect_any_name() {
  if (!is(TokenKind::name)) fail_expecting(in_words(TokenKind::name));
  return take().text;
}

void TokenStream::fail_expecting(std::string_view what) const {
  const bool has_text = is(TokenKind::name) || is(TokenKind::symbol) || is(TokenKind::integer) ||
                        is(TokenKind::floating);
  const std::string found = has_text ? concat("`", current().text, "`") : in_words(current().kind);
  fail(concat("unexpected ", found, ", expected ", what));
}

}  // namespace argosy::jinja
