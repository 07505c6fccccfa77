// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What stands behind an expression: attributes, items, slices, calls, filters and tests.
#include <algorithm>

#include "planner/spec/check.h"
#include "planner/spec/number_text.h"
#include "trainer/chat/template_depth.h"
#include "trainer/chat/template_expressions.h"
#include "trainer/chat/template_filters.h"
#include "trainer/chat/template_tests.h"

namespace argosy::jinja {

namespace {

constexpr size_t kMaxArguments = 200;

int depth_of_all(const CallArguments& arguments) {
  int depth = depth_of(arguments.spread);
  for (const ExpressionPtr& value : arguments.values) depth = std::max(depth, depth_of(value));
  for (const auto& [name, value] : arguments.named) depth = std::max(depth, depth_of(value));
  return depth;
}

}  // namespace

ExpressionPtr ExpressionParser::parse_postfixes(ExpressionPtr object) {
  while (true) {
    if (tokens_.is_symbol(".")) {
      object = parse_attribute(std::move(object));
    } else if (tokens_.is_symbol("[")) {
      object = parse_item(std::move(object));
    } else if (tokens_.is_symbol("(")) {
      object = parse_call(std::move(object));
    } else {
      return object;
    }
  }
}

ExpressionPtr ExpressionParser::parse_attribute(ExpressionPtr object) {
  const int line = tokens_.take().line, depth = depth_of(object);
  if (tokens_.is(TokenKind::integer)) {
    ExpressionPtr key = parse_number();
    return make(tokens_, line, depth, Item{std::move(object), std::move(key)});
  }
  const Value name = make_text(tokens_.expect_any_name());
  const Value why = make_text(concat("there is no attribute '", *text_in(name), "'"));
  return make(tokens_, line, depth, Attribute{std::move(object), name, *why.get<TextPtr>()});
}

ExpressionPtr ExpressionParser::parse_item(ExpressionPtr object) {
  const NestingGuard guard(nesting_, tokens_);
  const int line = tokens_.take().line;
  if (tokens_.is_symbol(":")) return parse_slice(std::move(object), nullptr, line);
  ExpressionPtr key = parse_one();
  if (tokens_.is_symbol(":")) return parse_slice(std::move(object), std::move(key), line);
  if (tokens_.is_symbol(",")) tokens_.fail("several keys in one [] are not supported");
  tokens_.expect_symbol("]");
  const int depth = std::max(depth_of(object), depth_of(key));
  return make(tokens_, line, depth, Item{std::move(object), std::move(key)});
}

// From the first colon on.
ExpressionPtr ExpressionParser::parse_slice(ExpressionPtr object, ExpressionPtr start, int line) {
  const auto parse_part = [this]() -> ExpressionPtr {
    const bool is_empty =
        !tokens_.skip_symbol(":") || tokens_.is_symbol(":") || tokens_.is_symbol("]");
    return is_empty ? nullptr : parse_one();
  };
  ExpressionPtr stop = parse_part(), step = parse_part();
  tokens_.expect_symbol("]");
  const int depth = std::max({depth_of(object), depth_of(start), depth_of(stop), depth_of(step)});
  return make(tokens_, line, depth,
              Slice{std::move(object), std::move(start), std::move(stop), std::move(step)});
}

ExpressionPtr ExpressionParser::parse_call(ExpressionPtr callee) {
  const int line = tokens_.line();
  CallArguments arguments = parse_arguments();
  const int depth = std::max(depth_of(callee), depth_of_all(arguments));
  return make(tokens_, line, depth, Call{std::move(callee), std::move(arguments)});
}

CallArguments ExpressionParser::parse_arguments() {
  const NestingGuard guard(nesting_, tokens_);
  CallArguments arguments;
  tokens_.expect_symbol("(");
  for (bool is_first = true; !tokens_.is_symbol(")"); is_first = false) {
    if (!is_first) tokens_.expect_symbol(",");
    if (tokens_.is_symbol(")")) break;
    if (arguments.values.size() >= kMaxArguments) {
      tokens_.fail(concat("more than ", kMaxArguments, " arguments"));
    }
    const Token& next = tokens_.following();
    const bool is_named =
        tokens_.is(TokenKind::name) && next.kind == TokenKind::symbol && next.text == "=";
    if (is_named) {
      const std::string name = tokens_.take().text;
      tokens_.take();
      arguments.named.emplace_back(name, parse_one());
    } else if (tokens_.is_symbol("**")) {
      tokens_.fail("arguments with ** are not supported yet");
    } else if (!arguments.named.empty() || arguments.spread) {
      tokens_.fail_expecting("an argument with a name");
    } else if (tokens_.skip_symbol("*")) {
      arguments.spread = parse_one();
    } else {
      arguments.values.push_back(parse_one());
    }
  }
  tokens_.expect_symbol(")");
  return arguments;
}

ExpressionPtr ExpressionParser::parse_filters_and_tests(ExpressionPtr input) {
  while (true) {
    if (tokens_.is_symbol("|")) {
      input = parse_filter(std::move(input));
    } else if (tokens_.is_name("is")) {
      input = parse_test(std::move(input));
    } else if (tokens_.is_symbol("(")) {
      input = parse_call(std::move(input));
    } else {
      return input;
    }
  }
}

ExpressionPtr ExpressionParser::parse_filters_of_block() {
  ExpressionPtr filters;
  while (tokens_.is_symbol("|")) filters = parse_filter(std::move(filters));
  return filters;
}

ExpressionPtr ExpressionParser::parse_filter(ExpressionPtr input) {
  const int line = tokens_.take().line;
  const std::string name = tokens_.is(TokenKind::name) ? tokens_.current().text : "";
  const FilterFunction function = find_filter(name);
  if (!name.empty() && !function) {
    tokens_.fail(concat("filter `", name, "` is not known; known: ", filter_names()));
  }
  tokens_.expect_any_name();
  CallArguments arguments;
  if (tokens_.is_symbol("(")) arguments = parse_arguments();
  const int depth = std::max(depth_of(input), depth_of_all(arguments));
  return make(tokens_, line, depth, Filter{std::move(input), name, function, std::move(arguments)});
}

// An argument without brackets may follow: `x is divisibleby 3`.
bool ExpressionParser::begins_test_argument() const {
  if (tokens_.is_name("else") || tokens_.is_name("or") || tokens_.is_name("and") ||
      tokens_.is_name("if") || tokens_.is_name("is") || tokens_.is_name("not") ||
      tokens_.is_name("in")) {
    return false;
  }
  return tokens_.is(TokenKind::name) || tokens_.is(TokenKind::string) ||
         tokens_.is(TokenKind::integer) || tokens_.is(TokenKind::floating) ||
         tokens_.is_symbol("[") || tokens_.is_symbol("{");
}

ExpressionPtr ExpressionParser::parse_test(ExpressionPtr input) {
  const int line = tokens_.take().line;
  const bool is_negated = tokens_.skip_name("not");
  const std::string name = tokens_.is(TokenKind::name) ? tokens_.current().text : "";
  const TestFunction function = find_test(name);
  if (!name.empty() && !function) {
    tokens_.fail(concat("test `", name, "` is not known; known: ", test_names()));
  }
  tokens_.expect_any_name();
  CallArguments arguments;
  if (tokens_.is_symbol("(")) {
    arguments = parse_arguments();
  } else if (begins_test_argument()) {
    arguments.values.push_back(parse_postfixes(parse_primary()));
  }
  int depth = std::max(depth_of(input), depth_of_all(arguments));
  ExpressionPtr test =
      make(tokens_, line, depth, Test{std::move(input), name, function, std::move(arguments)});
  if (!is_negated) return test;
  depth = depth_of(test);
  return make(tokens_, line, depth, Unary{UnaryOperator::logical_not, std::move(test)});
}

}  // namespace argosy::jinja
