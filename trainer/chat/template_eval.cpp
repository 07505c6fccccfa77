// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/template_eval.h"

#include <utility>

#include "planner/spec/check.h"
#include "trainer/chat/template_methods.h"
#include "trainer/chat/template_operators.h"
#include "trainer/chat/template_scope.h"

namespace argosy::jinja {

namespace {

// Runs `action`; what it complains of says of what: "filter `join`".
template <typename Action>
auto named(const char* kind, std::string_view name, const Action& action) {
  try {
    return action();
  } catch (const TemplateFault& fault) {
    throw TemplateFault(concat(kind, " `", name, "` ", fault.what()));
  }
}

}  // namespace

Value Renderer::eval(const Expression& expression) {
  const DepthGuard guard(*this);
  line_ = expression.line;
  return std::visit([this](const auto& node) { return eval(node); }, expression.node);
}

Value Renderer::eval_or_none(const ExpressionPtr& expression) {
  return expression ? eval(*expression) : Value{None{}};
}

Value Renderer::eval(const Variable& variable) {
  const Value* value = find_variable(variable.name);
  return value ? *value : Value{Undefined{variable.why_undefined}};
}

Value Renderer::eval(const ListOf& list) {
  std::vector<Value> items;
  items.reserve(list.items.size());
  for (const ExpressionPtr& item : list.items) items.push_back(eval(*item));
  return make_sequence(std::move(items), list.kind);
}

Value Renderer::eval(const DictOf& dict) {
  std::vector<std::pair<Value, Value>> entries;
  entries.reserve(dict.entries.size());
  for (const auto& [key, value] : dict.entries) {
    Value evaluated = eval(*key);
    entries.emplace_back(std::move(evaluated), eval(*value));
  }
  return make_dict(std::move(entries));
}

Value Renderer::eval(const Attribute& attribute) {
  return attribute_of(eval(*attribute.object), attribute.name, attribute.why_undefined);
}

Value Renderer::eval(const Item& item) {
  const Value object = eval(*item.object);
  return item_of(object, eval(*item.key));
}

Value Renderer::eval(const Slice& slice) {
  const Value object = eval(*slice.object), start = eval_or_none(slice.start),
              stop = eval_or_none(slice.stop), step = eval_or_none(slice.step);
  return slice_of(object, start, stop, step);
}

Arguments Renderer::eval(const CallArguments& arguments) {
  Arguments values;
  values.values.reserve(arguments.values.size());
  for (const ExpressionPtr& value : arguments.values) values.values.push_back(eval(*value));
  if (arguments.spread) {
    const SequencePtr further = iterate(eval(*arguments.spread));
    values.values.insert(values.values.end(), further->items.begin(), further->items.end());
  }
  values.named.reserve(arguments.named.size());
  for (const auto& [name, value] : arguments.named) values.named.emplace_back(name, eval(*value));
  return values;
}

// A method is called at once, without a value for the method itself.
Value Renderer::eval(const Call& call) {
  const int line = line_;
  const auto* attribute = std::get_if<Attribute>(&call.callee->node);
  if (!attribute) {
    const Value callee = eval(*call.callee);
    const Arguments arguments = eval(call.arguments);
    line_ = line;
    return call_value(callee, arguments);
  }
  const Value object = eval(*attribute->object);
  const std::string& name = *text_in(attribute->name);
  const bool is_method = has_method(object, name);
  const Value callee =
      is_method ? Value{} : attribute_of(object, attribute->name, attribute->why_undefined);
  const Arguments arguments = eval(call.arguments);
  line_ = line;
  if (!is_method) return call_value(callee, arguments);
  return named("method", name, [&] { return call_method(object, name, arguments); });
}

Value Renderer::eval(const Filter& filter) {
  return apply_filter(filter, filter.input ? eval(*filter.input) : block_text_);
}

Value Renderer::apply_filter(const Filter& filter, const Value& input) {
  const int line = line_;
  const Arguments arguments = eval(filter.arguments);
  line_ = line;
  return named("filter", filter.name, [&] { return filter.function(input, arguments); });
}

Value Renderer::eval(const Test& test) {
  const int line = line_;
  const Value input = eval(*test.input);
  const Arguments arguments = eval(test.arguments);
  line_ = line;
  return {named("test", test.name, [&] { return test.function(input, arguments); })};
}

Value Renderer::eval(const Binary& binary) {
  const int line = line_;
  const Value left = eval(*binary.left), right = eval(*binary.right);
  line_ = line;
  return apply(binary.op, left, right);
}

Value Renderer::eval(const Unary& unary) {
  const Value value = eval(*unary.operand);
  switch (unary.op) {
    case UnaryOperator::minus:
      return negated(value);
    case UnaryOperator::plus:
      return unary_plus(value);
    case UnaryOperator::logical_not:
      break;
  }
  return {!truth(value)};
}

Value Renderer::eval(const Logic& logic) {
  Value left = eval(*logic.left);
  return truth(left) == logic.is_and ? eval(*logic.right) : left;
}

Value Renderer::eval(const Compare& compared) {
  Value left = eval(*compared.first);
  for (const auto& [comparison, operand] : compared.rest) {
    Value right = eval(*operand);
    if (!compare(comparison, left, right)) return {false};
    left = std::move(right);
  }
  return {true};
}

Value Renderer::eval(const Conditional& conditional) {
  if (truth(eval(*conditional.condition))) return eval(*conditional.value);
  if (conditional.otherwise) return eval(*conditional.otherwise);
  return undefined("an `if` without `else` was false");
}

Value Renderer::call_value(const Value& callee, const Arguments& arguments) {
  if (const auto* missing = callee.get<Undefined>()) throw TemplateFault(missing->why->text);
  if (callee.is<std::shared_ptr<LoopState>>()) {
    throw TemplateFault("recursive loops are not supported yet");
  }
  const auto* callable = callee.get<std::shared_ptr<const Callable>>();
  if (!callable) throw TemplateFault(concat("a ", type_name(callee), " cannot be called"));
  const Callable& target = **callable;
  switch (target.kind) {
    case Callable::Kind::macro:
      return call_macro(target, arguments);
    case Callable::Kind::method:
      return named("method", target.name,
                   [&] { return call_method(target.self, target.name, arguments); });
    case Callable::Kind::builtin:
      break;
  }
  return call_builtin(target.name, arguments);
}

Value Renderer::call_macro(const Callable& callable, const Arguments& arguments) {
  const Macro& macro = *callable.macro;
  const size_t count = macro.parameters.size();
  if (arguments.values.size() > count) {
    throw TemplateFault(concat("macro `", macro.name, "` takes at most ", count, " arguments, ",
                               arguments.values.size(), " are given"));
  }
  for (const Scope* scope = callable.scope; scope; scope = scope->outer) {
    if (!scope->has_ended) continue;
    throw TemplateFault(concat("macro `", macro.name, "` is called behind the block it is of"));
  }
  const ScopeGuard guard(*this, callable.scope);
  for (size_t i = 0; i < arguments.values.size(); ++i) {
    set_variable(*scope_, macro.parameters[i].first, arguments.values[i]);
  }
  size_t num_used = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto& [variable, name] = macro.parameters[i];
    const Value* given = nullptr;
    for (const auto& [keyword, value] : arguments.named) {
      if (keyword == name) given = &value;
    }
    if (given && i < arguments.values.size()) {
      throw TemplateFault(concat("macro `", macro.name, "`: `", name, "` is given twice"));
    }
    if (i < arguments.values.size()) continue;
    num_used += given ? 1 : 0;
    const size_t first_default = count - macro.defaults.size();
    set_variable(*scope_, variable,
                 given ? *given
                 : i >= first_default
                     ? eval(*macro.defaults[i - first_default])
                     : undefined(concat("parameter '", name, "' was not provided")));
  }
  if (num_used != arguments.named.size()) {
    throw TemplateFault(
        concat("macro `", macro.name, "` has no parameter of a name that is given"));
  }
  return make_text(captured(macro.body));
}

}  // namespace argosy::jinja
