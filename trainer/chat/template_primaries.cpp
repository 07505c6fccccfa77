// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Literals, names, and what stands in brackets.
#include <algorithm>

#include "planner/spec/check.h"
#include "planner/spec/number_text.h"
#include "trainer/chat/template_depth.h"
#include "trainer/chat/template_expressions.h"

namespace argosy::jinja {

int ExpressionParser::number_of(const std::string& name) {
  return names_.try_emplace(name, static_cast<int>(names_.size())).first->second;
}

ExpressionPtr ExpressionParser::parse(Condition condition) {
  if (is_tuple_end()) tokens_.fail_expecting("an expression");
  return parse_tuple_rest(parse_one(condition), condition);
}

bool ExpressionParser::is_tuple_end() const {
  return tokens_.is(TokenKind::output_end) || tokens_.is(TokenKind::tag_end) ||
         tokens_.is_symbol(")");
}

// `first` alone where no comma follows.
ExpressionPtr ExpressionParser::parse_tuple_rest(ExpressionPtr first, Condition condition) {
  if (!tokens_.is_symbol(",")) return first;
  const int line = tokens_.line();
  int depth = depth_of(first);
  ListOf tuple{{}, SequenceKind::tuple};
  tuple.items.push_back(std::move(first));
  while (tokens_.skip_symbol(",") && !is_tuple_end()) {
    tuple.items.push_back(parse_one(condition));
    depth = std::max(depth, depth_of(tuple.items.back()));
  }
  return make(tokens_, line, depth, std::move(tuple));
}

ExpressionPtr ExpressionParser::parse_primary() {
  if (tokens_.is(TokenKind::name)) return parse_name();
  if (tokens_.is(TokenKind::string)) return parse_strings();
  if (tokens_.is(TokenKind::integer) || tokens_.is(TokenKind::floating)) return parse_number();
  if (tokens_.is_symbol("(")) return parse_parentheses();
  if (tokens_.is_symbol("[")) return parse_list();
  if (tokens_.is_symbol("{")) return parse_dict();
  tokens_.fail_expecting("an expression");
}

ExpressionPtr ExpressionParser::parse_name() {
  const int line = tokens_.line();
  const std::string name = tokens_.take().text;
  if (name == "true" || name == "True") return make(tokens_, line, 0, Literal{{true}});
  if (name == "false" || name == "False") return make(tokens_, line, 0, Literal{{false}});
  if (name == "none" || name == "None") return make(tokens_, line, 0, Literal{{None{}}});
  if (is_in_macro && (name == "varargs" || name == "kwargs" || name == "caller")) {
    tokens_.fail(concat("`", name, "` of a macro is not supported yet"));
  }
  const Value why = make_text(concat("'", name, "' is undefined"));
  return make(tokens_, line, 0, Variable{number_of(name), *why.get<TextPtr>()});
}

ExpressionPtr ExpressionParser::parse_number() {
  const int line = tokens_.line();
  const bool is_float = tokens_.is(TokenKind::floating);
  const std::string text = tokens_.current().text;
  if (is_float) {
    const auto number = argosy::number_in<double>(text);
    if (!number) tokens_.fail(concat("`", text, "` is beyond the numbers that are supported"));
    tokens_.take();
    return make(tokens_, line, 0, Literal{{*number}});
  }
  const auto number = argosy::number_in<int64_t>(text);
  if (!number) tokens_.fail(concat("`", text, "` is beyond the numbers that are supported"));
  tokens_.take();
  return make(tokens_, line, 0, Literal{{*number}});
}

// Strings side by side are one.
ExpressionPtr ExpressionParser::parse_strings() {
  const int line = tokens_.line();
  std::string text = tokens_.take().text;
  while (tokens_.is(TokenKind::string)) text += tokens_.take().text;
  return make(tokens_, line, 0, Literal{make_text(text)});
}

ExpressionPtr ExpressionParser::parse_parentheses() {
  const NestingGuard guard(nesting_, tokens_);
  const int line = tokens_.take().line;
  if (tokens_.skip_symbol(")")) return make(tokens_, line, 0, ListOf{{}, SequenceKind::tuple});
  ExpressionPtr inner = parse();
  tokens_.expect_symbol(")");
  return inner;
}

ExpressionPtr ExpressionParser::parse_list() {
  const NestingGuard guard(nesting_, tokens_);
  const int line = tokens_.take().line;
  int depth = 0;
  ListOf list{{}, SequenceKind::list};
  while (!tokens_.is_symbol("]")) {
    if (!list.items.empty()) tokens_.expect_symbol(",");
    if (tokens_.is_symbol("]")) break;
    list.items.push_back(parse_one());
    depth = std::max(depth, depth_of(list.items.back()));
  }
  tokens_.expect_symbol("]");
  return make(tokens_, line, depth, std::move(list));
}

ExpressionPtr ExpressionParser::parse_dict() {
  const NestingGuard guard(nesting_, tokens_);
  const int line = tokens_.take().line;
  int depth = 0;
  DictOf dict;
  while (!tokens_.is_symbol("}")) {
    if (!dict.entries.empty()) tokens_.expect_symbol(",");
    if (tokens_.is_symbol("}")) break;
    ExpressionPtr key = parse_one();
    tokens_.expect_symbol(":");
    ExpressionPtr value = parse_one();
    depth = std::max({depth, depth_of(key), depth_of(value)});
    dict.entries.emplace_back(std::move(key), std::move(value));
  }
  tokens_.expect_symbol("}");
  return make(tokens_, line, depth, std::move(dict));
}

}  // namespace argosy::jinja
