// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Operators; what they stand between is in template_primaries.cpp.
#include "trainer/chat/template_expressions.h"

#include <algorithm>
#include <array>
#include <optional>

#include "trainer/chat/template_depth.h"

namespace argosy::jinja {

namespace {

// The operator that stands next, taken.
template <size_t count>
std::optional<Operator> take_operator(TokenStream& tokens,
                                      const std::array<BinarySymbol, count>& symbols) {
  for (const BinarySymbol& candidate : symbols) {
    if (tokens.skip_symbol(candidate.symbol)) return candidate.op;
  }
  return std::nullopt;
}

std::optional<Comparison> take_comparison(TokenStream& tokens) {
  static constexpr std::pair<const char*, Comparison> kSymbols[] = {
      {"==", Comparison::equal},      {"!=", Comparison::unequal},
      {"<", Comparison::less},        {">", Comparison::greater},
      {"<=", Comparison::less_equal}, {">=", Comparison::greater_equal}};
  for (const auto& [symbol, comparison] : kSymbols) {
    if (tokens.skip_symbol(symbol)) return comparison;
  }
  if (tokens.skip_name("in")) return Comparison::in;
  const Token& next = tokens.following();
  if (tokens.is_name("not") && next.kind == TokenKind::name && next.text == "in") {
    tokens.take(), tokens.take();
    return Comparison::not_in;
  }
  return std::nullopt;
}

}  // namespace

ExpressionPtr ExpressionParser::parse_one(Condition condition) {
  return condition == Condition::allowed ? parse_conditional() : parse_or();
}

ExpressionPtr ExpressionParser::parse_conditional() {
  const NestingGuard guard(nesting_, tokens_);
  ExpressionPtr value = parse_or();
  while (tokens_.is_name("if")) {
    const int line = tokens_.take().line;
    ExpressionPtr condition = parse_or();
    ExpressionPtr otherwise = tokens_.skip_name("else") ? parse_conditional() : nullptr;
    const int depth = std::max({depth_of(value), depth_of(condition), depth_of(otherwise)});
    value = make(tokens_, line, depth,
                 Conditional{std::move(condition), std::move(value), std::move(otherwise)});
  }
  return value;
}

ExpressionPtr ExpressionParser::parse_or() {
  ExpressionPtr left = parse_and();
  while (tokens_.is_name("or")) {
    const int line = tokens_.take().line;
    ExpressionPtr right = parse_and();
    const int depth = std::max(depth_of(left), depth_of(right));
    left = make(tokens_, line, depth, Logic{false, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_and() {
  ExpressionPtr left = parse_not();
  while (tokens_.is_name("and")) {
    const int line = tokens_.take().line;
    ExpressionPtr right = parse_not();
    const int depth = std::max(depth_of(left), depth_of(right));
    left = make(tokens_, line, depth, Logic{true, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_not() {
  if (!tokens_.is_name("not")) return parse_comparison();
  const NestingGuard guard(nesting_, tokens_);
  const int line = tokens_.take().line;
  ExpressionPtr operand = parse_not();
  const int depth = depth_of(operand);
  return make(tokens_, line, depth, Unary{UnaryOperator::logical_not, std::move(operand)});
}

ExpressionPtr ExpressionParser::parse_comparison() {
  const int line = tokens_.line();
  ExpressionPtr first = parse_sum();
  Compare compare;
  int depth = depth_of(first);
  while (const auto comparison = take_comparison(tokens_)) {
    compare.rest.emplace_back(*comparison, parse_sum());
    depth = std::max(depth, depth_of(compare.rest.back().second));
  }
  if (compare.rest.empty()) return first;
  compare.first = std::move(first);
  return make(tokens_, line, depth, std::move(compare));
}

template <size_t count>
ExpressionPtr ExpressionParser::parse_binary(const std::array<BinarySymbol, count>& symbols,
                                             ExpressionPtr (ExpressionParser::*parse_operand)()) {
  ExpressionPtr left = (this->*parse_operand)();
  while (true) {
    const int line = tokens_.line();
    const auto op = take_operator(tokens_, symbols);
    if (!op) return left;
    ExpressionPtr right = (this->*parse_operand)();
    const int depth = std::max(depth_of(left), depth_of(right));
    left = make(tokens_, line, depth, Binary{*op, std::move(left), std::move(right)});
  }
}

ExpressionPtr ExpressionParser::parse_sum() {
  static constexpr std::array<BinarySymbol, 2> kSymbols = {
      {{"+", Operator::add}, {"-", Operator::subtract}}};
  return parse_binary(kSymbols, &ExpressionParser::parse_concatenation);
}

ExpressionPtr ExpressionParser::parse_concatenation() {
  static constexpr std::array<BinarySymbol, 1> kSymbols = {{{"~", Operator::concatenate}}};
  return parse_binary(kSymbols, &ExpressionParser::parse_product);
}

ExpressionPtr ExpressionParser::parse_product() {
  static constexpr std::array<BinarySymbol, 4> kSymbols = {{{"*", Operator::multiply},
                                                            {"/", Operator::divide},
                                                            {"//", Operator::floor_divide},
                                                            {"%", Operator::modulo}}};
  return parse_binary(kSymbols, &ExpressionParser::parse_power);
}

ExpressionPtr ExpressionParser::parse_power() {
  static constexpr std::array<BinarySymbol, 1> kSymbols = {{{"**", Operator::power}}};
  return parse_binary(kSymbols, &ExpressionParser::parse_filtered);
}

ExpressionPtr ExpressionParser::parse_unary() {
  const bool is_minus = tokens_.is_symbol("-");
  if (!is_minus && !tokens_.is_symbol("+")) return parse_postfixes(parse_primary());
  const NestingGuard guard(nesting_, tokens_);
  const int line = tokens_.take().line;
  ExpressionPtr operand = parse_unary();
  const int depth = depth_of(operand);
  return make(tokens_, line, depth,
              Unary{is_minus ? UnaryOperator::minus : UnaryOperator::plus, std::move(operand)});
}

}  // namespace argosy::jinja
