// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <array>
#include <map>
#include <string>

#include "trainer/chat/template_ast.h"
#include "trainer/chat/template_tokens.h"

namespace argosy::jinja {

struct BinarySymbol {
  const char* symbol;
  Operator op;
};

// Parses expressions, with Jinja's precedence: `if else` binds least, then or, and, not,
// comparisons,
// + and -, ~, * / // %, **, and most of all filters, tests, calls and attributes. `names` numbers
// the variables.
class ExpressionParser {
 public:
  ExpressionParser(TokenStream& tokens, std::map<std::string, int>& names)
      : tokens_(tokens), names_(names) {}

  enum class Condition {
    allowed,
    not_allowed
  };  // `a if b`: not where an `if` of the tag may follow
  // One expression, or several with commas between them: a tuple.
  ExpressionPtr parse(Condition condition = Condition::allowed);
  ExpressionPtr parse_one(Condition condition = Condition::allowed);
  // `| name(...) | name(...)` of a {% set %} block; null: none.
  ExpressionPtr parse_filters_of_block();
  int number_of(const std::string& name);

  bool is_in_macro = false;  // where Jinja has variables that are not supported

 private:
  // template_expressions.cpp
  ExpressionPtr parse_conditional();
  ExpressionPtr parse_or();
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr parse_comparison();
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concatenation();
  ExpressionPtr parse_product();
  ExpressionPtr parse_power();
  template <size_t count>
  ExpressionPtr parse_binary(const std::array<BinarySymbol, count>& symbols,
                             ExpressionPtr (ExpressionParser::*parse_operand)());
  ExpressionPtr parse_filtered() { return parse_filters_and_tests(parse_unary()); }
  ExpressionPtr parse_unary();
  // template_primaries.cpp
  ExpressionPtr parse_primary();
  ExpressionPtr parse_name();
  ExpressionPtr parse_number();
  ExpressionPtr parse_strings();
  ExpressionPtr parse_parentheses();
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();
  ExpressionPtr parse_tuple_rest(ExpressionPtr first, Condition condition);
  bool is_tuple_end() const;
  // template_postfixes.cpp
  ExpressionPtr parse_postfixes(ExpressionPtr object);
  ExpressionPtr parse_attribute(ExpressionPtr object);
  ExpressionPtr parse_item(ExpressionPtr object);
  ExpressionPtr parse_slice(ExpressionPtr object, ExpressionPtr start, int line);
  ExpressionPtr parse_filters_and_tests(ExpressionPtr input);
  ExpressionPtr parse_filter(ExpressionPtr input);
  ExpressionPtr parse_test(ExpressionPtr input);
  ExpressionPtr parse_call(ExpressionPtr callee);
  CallArguments parse_arguments();
  bool begins_test_argument() const;

  TokenStream& tokens_;
  std::map<std::string, int>& names_;
  int nesting_ = 0;
};

}  // namespace argosy::jinja
