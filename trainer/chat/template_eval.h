// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <ctime>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "trainer/chat/template_ast.h"

namespace argosy::jinja {

// What a template is rendered with.
struct RenderInputs {
  std::vector<std::pair<std::string, Value>> variables;
  std::optional<std::tm> now;  // what strftime_now() says; none: the local time
};

struct Rendering {
  std::string text;
  std::vector<std::pair<size_t, size_t>> generation;  // begin and end in `text`
};

// Throws ConfigError naming the template, the line and what went wrong.
Rendering render(const Template& parsed, const RenderInputs& inputs);

// Variables of a block that has its own, and where to look for others.
struct Scope {
  Scope* outer = nullptr;
  std::vector<std::pair<int, Value>> variables;
  bool is_captured = false;  // a macro was defined in it
  bool has_ended = false;    // of one that is captured; others are used again
};

// One rendering. Statements are in template_statements.cpp, expressions in template_eval.cpp.
class Renderer {
 public:
  Renderer(const Template& parsed, const RenderInputs& inputs);
  Rendering run();
  int line() const { return line_; }

 private:
  enum class Flow { next, break_loop, continue_loop };

  Flow run_block(const Block& block);
  Flow run(const TextOutput& text);
  Flow run(const Output& output);
  Flow run(const If& branches);
  Flow run(const For& loop);
  Flow run(const Set& assignment);
  Flow run(const SetBlock& assignment);
  Flow run(const With& with);
  Flow run(const Macro& macro);
  Flow run(const Generation& generation);
  Flow run(const Break&) { return Flow::break_loop; }
  Flow run(const Continue&) { return Flow::continue_loop; }
  SequencePtr items_of(const For& loop);
  // What the block would write, with the scope that is current.
  std::string captured(const Block& block);

  void assign(const Target& target, const Value& value);
  void assign(const Target::Part& part, const Value& value);
  void set_variable(Scope& scope, int name, Value value);
  const Value* find_variable(int name) const;

  Value eval(const Expression& expression);
  Value eval_or_none(const ExpressionPtr& expression);
  Value eval(const Literal& literal) { return literal.value; }
  Value eval(const Variable& variable);
  Value eval(const ListOf& list);
  Value eval(const DictOf& dict);
  Value eval(const Attribute& attribute);
  Value eval(const Item& item);
  Value eval(const Slice& slice);
  Value eval(const Call& call);
  Value eval(const Filter& filter);
  Value eval(const Test& test);
  Value eval(const Binary& binary);
  Value eval(const Unary& unary);
  Value eval(const Logic& logic);
  Value eval(const Compare& compare);
  Value eval(const Conditional& conditional);
  Arguments eval(const CallArguments& arguments);
  Value apply_filter(const Filter& filter, const Value& input);
  Value call_value(const Value& callee, const Arguments& arguments);
  Value call_macro(const Callable& callable, const Arguments& arguments);
  Value call_builtin(const std::string& name, const Arguments& arguments);
  Value make_namespace(const Arguments& arguments);

  friend class ScopeGuard;
  friend class DepthGuard;

  const Template& template_;
  const std::optional<std::tm> now_;
  std::deque<Scope> scopes_;  // all that were ever needed; macros point to them
  std::vector<Scope*> free_scopes_;
  std::deque<Namespace> namespaces_;
  Scope* scope_ = nullptr;
  Value block_text_;  // what the filters of a {% set %} block begin with
  std::string* output_ = nullptr;
  Rendering result_;
  int line_ = 1, depth_ = 0, num_captures_ = 0;
};

}  // namespace argosy::jinja
