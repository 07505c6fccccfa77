// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A template as it was parsed. Names of variables are numbers: Template::names.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "trainer/chat/template_value.h"

namespace argosy::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;
struct Statement;
using Block = std::vector<Statement>;

// What filters, tests and methods are called with.
struct Arguments {
  std::vector<Value> values;
  std::vector<std::pair<std::string, Value>> named;
};
using FilterFunction = Value (*)(const Value& input, const Arguments& arguments);
using TestFunction = bool (*)(const Value& input, const Arguments& arguments);

struct CallArguments {
  std::vector<ExpressionPtr> values;
  ExpressionPtr spread;  // `*list`: further arguments without a name; null: none
  std::vector<std::pair<std::string, ExpressionPtr>> named;
};

struct Literal {
  Value value;
};
struct Variable {
  int name;
  TextPtr why_undefined;
};
struct ListOf {
  std::vector<ExpressionPtr> items;
  SequenceKind kind;  // list or tuple
};
struct DictOf {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};
struct Attribute {
  ExpressionPtr object;
  Value name;  // a text
  TextPtr why_undefined;
};
struct Item {
  ExpressionPtr object, key;
};
struct Slice {
  ExpressionPtr object, start, stop, step;  // null where nothing stands
};
struct Call {
  ExpressionPtr callee;
  CallArguments arguments;
};
struct Filter {
  ExpressionPtr input;  // null: what a {% set %} block has rendered
  std::string name;
  FilterFunction function;
  CallArguments arguments;
};
struct Test {
  ExpressionPtr input;
  std::string name;
  TestFunction function;
  CallArguments arguments;
};
enum class Operator { add, subtract, multiply, divide, floor_divide, modulo, power, concatenate };
struct Binary {
  Operator op;
  ExpressionPtr left, right;
};
enum class UnaryOperator { minus, plus, logical_not };
struct Unary {
  UnaryOperator op;
  ExpressionPtr operand;
};
struct Logic {
  bool is_and;
  ExpressionPtr left, right;
};
enum class Comparison { equal, unequal, less, less_equal, greater, greater_equal, in, not_in };
struct Compare {  // a < b < c
  ExpressionPtr first;
  std::vector<std::pair<Comparison, ExpressionPtr>> rest;
};
struct Conditional {
  ExpressionPtr condition, value, otherwise;  // otherwise: null where nothing stands
};

struct Expression {
  std::variant<Literal, Variable, ListOf, DictOf, Attribute, Item, Slice, Call, Filter, Test,
               Binary, Unary, Logic, Compare, Conditional>
      node;
  int line = 0;
  int depth = 1;  // of expressions within each other
};

// What is assigned to: a name, an attribute of a namespace, or several names.
struct Target {
  struct Part {
    int name;
    std::string attribute;  // of a namespace; empty: none
  };
  std::vector<Part> parts;
  bool unpacks = false;
};

struct TextOutput {
  std::string text;
};
struct Output {
  ExpressionPtr value;
};
struct If {
  std::vector<std::pair<ExpressionPtr, Block>> branches;
  Block otherwise;
};
struct For {
  Target target;
  ExpressionPtr items, condition;  // condition: null where nothing stands
  Block body, otherwise;
};
struct Set {
  Target target;
  ExpressionPtr value;
};
struct SetBlock {
  Target target;
  ExpressionPtr filters;  // of the text; null: none
  Block body;
};
struct With {
  std::vector<std::pair<Target, ExpressionPtr>> variables;
  Block body;
};
struct Macro {
  std::string name;
  int variable;
  std::vector<std::pair<int, std::string>> parameters;
  std::vector<ExpressionPtr> defaults;  // of the last parameters
  Block body;
};
struct Generation {
  Block body;
};
struct Break {};
struct Continue {};

struct Statement {
  std::variant<TextOutput, Output, If, For, Set, SetBlock, With, Macro, Generation, Break, Continue>
      node;
  int line = 0;
};

struct Template {
  std::string where;
  Block body;
  std::map<std::string, int> names;
  bool marks_generation = false;
};

}  // namespace argosy::jinja
