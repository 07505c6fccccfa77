// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Limits that keep absurd templates from overflowing the stack. Real ones stay far below them.
#pragma once

#include <memory>
#include <utility>

#include "planner/spec/check.h"
#include "trainer/chat/template_ast.h"
#include "trainer/chat/template_tokens.h"

namespace argosy::jinja {

inline constexpr int kMaxNesting = 100;  // of brackets and blocks while parsing
inline constexpr int kMaxExpressionDepth = 300;

// One level of recursion of a parser.
class NestingGuard {
 public:
  NestingGuard(int& nesting, const TokenStream& tokens) : nesting_(nesting) {
    if (nesting_ >= kMaxNesting) {
      tokens.fail(
          concat("expressions or blocks stand in each other more than ", kMaxNesting, " deep"));
    }
    ++nesting_;
  }
  ~NestingGuard() { --nesting_; }
  NestingGuard(const NestingGuard&) = delete;
  NestingGuard& operator=(const NestingGuard&) = delete;

 private:
  int& nesting_;
};

inline int depth_of(const ExpressionPtr& expression) {
  return expression ? expression->depth : 0;
}

// `inner_depth`: the largest depth of what stands in it.
template <typename Node>
ExpressionPtr make(const TokenStream& tokens, int line, int inner_depth, Node node) {
  if (inner_depth >= kMaxExpressionDepth) {
    tokens.fail(concat("an expression of more than ", kMaxExpressionDepth, " parts in each other"));
  }
  auto expression = std::make_unique<Expression>();
  expression->node = std::move(node);
  expression->line = line;
  expression->depth = inner_depth + 1;
  return expression;
}

}  // namespace argosy::jinja
