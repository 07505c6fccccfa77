// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include <utility>

#include "planner/spec/check.h"
#include "trainer/chat/template_eval.h"
#include "trainer/chat/template_lexer.h"
#include "trainer/chat/template_scope.h"
#include "trainer/chat/template_write.h"

namespace argosy::jinja {

Renderer::Renderer(const Template& parsed, const RenderInputs& inputs)
    : template_(parsed), now_(inputs.now), output_(&result_.text) {
  scopes_.emplace_back();
  scope_ = &scopes_.back();
  const auto define = [&](const std::string& name, Value value) {
    const auto number = template_.names.find(name);
    if (number != template_.names.end()) set_variable(*scope_, number->second, std::move(value));
  };
  for (const char* name : {"raise_exception", "strftime_now", "range", "dict", "namespace"}) {
    if (!template_.names.contains(name)) continue;
    auto builtin = std::make_shared<Callable>();
    builtin->name = name;
    define(name, {std::shared_ptr<const Callable>(std::move(builtin))});
  }
  for (const auto& [name, value] : inputs.variables) define(name, value);
}

Rendering Renderer::run() {
  run_block(template_.body);
  return std::move(result_);
}

Renderer::Flow Renderer::run_block(const Block& block) {
  const DepthGuard guard(*this);
  for (const Statement& statement : block) {
    line_ = statement.line;
    const Flow flow = std::visit([this](const auto& node) { return run(node); }, statement.node);
    if (flow != Flow::next) return flow;
  }
  return Flow::next;
}

Renderer::Flow Renderer::run(const TextOutput& text) {
  *output_ += text.text;
  return Flow::next;
}

Renderer::Flow Renderer::run(const Output& output) {
  append_str(*output_, eval(*output.value));
  return Flow::next;
}

Renderer::Flow Renderer::run(const If& branches) {
  for (const auto& [condition, block] : branches.branches) {
    if (truth(eval(*condition))) return run_block(block);
  }
  return run_block(branches.otherwise);
}

// What is left by the condition of the for, which sees the variables of the loop.
SequencePtr Renderer::items_of(const For& loop) {
  SequencePtr all = iterate(eval(*loop.items));
  if (!loop.condition) return all;
  auto kept = std::make_shared<Sequence>();
  for (const Value& item : all->items) {
    const ScopeGuard guard(*this);
    assign(loop.target, item);
    if (truth(eval(*loop.condition))) kept->items.push_back(item);
  }
  return kept;
}

Renderer::Flow Renderer::run(const For& loop) {
  static const std::string kLoop = "loop";
  const SequencePtr items = items_of(loop);
  if (items->items.empty()) {
    const ScopeGuard guard(*this);
    return run_block(loop.otherwise);
  }
  const auto loop_name = template_.names.find(kLoop);
  for (size_t i = 0; i < items->items.size(); ++i) {
    const ScopeGuard guard(*this);
    if (loop_name != template_.names.end()) {
      set_variable(*scope_, loop_name->second, {std::make_shared<LoopState>(LoopState{items, i})});
    }
    assign(loop.target, items->items[i]);
    if (run_block(loop.body) == Flow::break_loop) break;
  }
  return Flow::next;
}

Renderer::Flow Renderer::run(const Set& assignment) {
  assign(assignment.target, eval(*assignment.value));
  return Flow::next;
}

Renderer::Flow Renderer::run(const SetBlock& assignment) {
  Value text;
  {
    const ScopeGuard guard(*this);
    text = make_text(captured(assignment.body));
  }
  if (assignment.filters) {
    std::swap(block_text_, text);
    Value filtered = eval(*assignment.filters);
    std::swap(block_text_, text);
    text = std::move(filtered);
  }
  assign(assignment.target, text);
  return Flow::next;
}

Renderer::Flow Renderer::run(const With& with) {
  std::vector<Value> values;
  values.reserve(with.variables.size());
  for (const auto& [target, value] : with.variables) values.push_back(eval(*value));
  const ScopeGuard guard(*this);
  for (size_t i = 0; i < values.size(); ++i) assign(with.variables[i].first, values[i]);
  return run_block(with.body);
}

Renderer::Flow Renderer::run(const Macro& macro) {
  auto callable = std::make_shared<Callable>();
  callable->kind = Callable::Kind::macro;
  callable->name = macro.name;
  callable->macro = &macro;
  callable->scope = scope_;
  for (Scope* scope = scope_; scope; scope = scope->outer) scope->is_captured = true;
  set_variable(*scope_, macro.variable, {std::shared_ptr<const Callable>(std::move(callable))});
  return Flow::next;
}

Renderer::Flow Renderer::run(const Generation& generation) {
  if (num_captures_ > 0) {
    throw TemplateFault(
        "{% generation %} in a macro or a {% set %} block is not supported: where its text goes is "
        "not known");
  }
  const size_t begin = output_->size();
  const ScopeGuard guard(*this);
  run_block(generation.body);
  result_.generation.emplace_back(begin, output_->size());
  return Flow::next;
}

std::string Renderer::captured(const Block& block) {
  std::string text;
  std::string* outside = std::exchange(output_, &text);
  ++num_captures_;
  run_block(block);
  --num_captures_;
  output_ = outside;
  return text;
}

void Renderer::assign(const Target& target, const Value& value) {
  if (!target.unpacks) return assign(target.parts[0], value);
  const SequencePtr items = iterate(value);
  if (items->items.size() != target.parts.size()) {
    throw TemplateFault(concat(items->items.size(), " values for ", target.parts.size(), " names"));
  }
  for (size_t i = 0; i < target.parts.size(); ++i) assign(target.parts[i], items->items[i]);
}

void Renderer::assign(const Target::Part& part, const Value& value) {
  if (part.attribute.empty()) return set_variable(*scope_, part.name, value);
  const Value* object = find_variable(part.name);
  const auto* space = object ? object->get<Namespace*>() : nullptr;
  if (!space) throw TemplateFault("attributes can be set of a namespace() only");
  for (auto& [name, present] : (*space)->attributes) {
    if (name != part.attribute) continue;
    present = value;
    return;
  }
  (*space)->attributes.emplace_back(part.attribute, value);
}

void Renderer::set_variable(Scope& scope, int name, Value value) {
  for (auto& [number, present] : scope.variables) {
    if (number != name) continue;
    present = std::move(value);
    return;
  }
  scope.variables.emplace_back(name, std::move(value));
}

const Value* Renderer::find_variable(int name) const {
  for (const Scope* scope = scope_; scope; scope = scope->outer) {
    for (const auto& [number, value] : scope->variables) {
      if (number == name) return &value;
    }
  }
  return nullptr;
}

Rendering render(const Template& parsed, const RenderInputs& inputs) {
  Renderer renderer(parsed, inputs);
  try {
    return renderer.run();
  } catch (const TemplateFault& fault) {
    fail_at(parsed.where, renderer.line(), fault.what());
  }
}

}  // namespace argosy::jinja
