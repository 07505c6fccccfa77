// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Attributes, items and slices. As in Jinja `a.b` looks for a method first and then for a key, and
// `a['b']` the other way round.
#include <algorithm>

#include "planner/spec/check.h"
#include "trainer/chat/template_methods.h"
#include "trainer/chat/template_operators.h"
#include "trainer/chat/template_utf8.h"

namespace argosy::jinja {

namespace {

Value loop_attribute(const LoopState& loop, std::string_view name, const TextPtr& why_undefined) {
  const std::vector<Value>& items = loop.items->items;
  const auto index0 = static_cast<int64_t>(loop.index0), count = static_cast<int64_t>(items.size());
  if (name == "index") return {index0 + 1};
  if (name == "index0") return {index0};
  if (name == "revindex") return {count - index0};
  if (name == "revindex0") return {count - index0 - 1};
  if (name == "first") return {index0 == 0};
  if (name == "last") return {index0 + 1 == count};
  if (name == "length") return {count};
  if (name == "depth") return {int64_t{1}};
  if (name == "depth0") return {int64_t{0}};
  if (name == "previtem") {
    return index0 > 0 ? items[loop.index0 - 1] : undefined("there is no previous item");
  }
  if (name == "nextitem") {
    return index0 + 1 < count ? items[loop.index0 + 1] : undefined("there is no next item");
  }
  if (name == "cycle" || name == "changed") {
    throw TemplateFault(concat("`loop.", name, "` is not supported yet"));
  }
  return {Undefined{why_undefined}};
}

// What Python's own attributes of a value are here: methods, or nothing.
Value python_attribute(const Value& object, const Value& name, const TextPtr& why_undefined) {
  const std::string& text = *text_in(name);
  if (is_forbidden_method(object, text)) {
    return undefined(
        concat("method `", text, "` is not allowed: it would change a list or a dict"));
  }
  if (has_method(object, text)) {
    auto method = std::make_shared<Callable>();
    method->kind = Callable::Kind::method;
    method->name = text;
    method->self = object;
    return {std::shared_ptr<const Callable>(std::move(method))};
  }
  if (object.is<std::shared_ptr<const Callable>>()) {
    throw TemplateFault(concat("`", text, "`: attributes of functions are not supported yet"));
  }
  return {Undefined{why_undefined}};
}

// Python's slice.indices(): the places that a slice goes through.
std::vector<size_t> slice_places(int64_t count, const Value& start, const Value& stop,
                                 const Value& step_value) {
  const auto number = [](const Value& value, int64_t fallback) {
    if (value.is<None>()) return fallback;
    const auto index = whole_number(value);
    if (!index) throw TemplateFault("the bounds of a slice must be whole numbers");
    return *index;
  };
  const int64_t step = number(step_value, 1);
  if (step == 0) throw TemplateFault("the step of a slice is 0");
  const int64_t lowest = step > 0 ? 0 : -1, highest = step > 0 ? count : count - 1;
  const auto bound = [&](const Value& value, int64_t fallback) {
    const int64_t given = number(value, fallback);
    if (value.is<None>()) return fallback;
    return std::clamp(given < 0 ? given + count : given, lowest, highest);
  };
  const int64_t first = bound(start, step > 0 ? lowest : highest);
  const int64_t end = bound(stop, step > 0 ? highest : lowest);
  std::vector<size_t> places;
  for (int64_t i = first; step > 0 ? i < end : i > end;) {
    places.push_back(static_cast<size_t>(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return places;
}

}  // namespace

Value attribute_of(const Value& object, const Value& name, const TextPtr& why_undefined) {
  const std::string& text = *text_in(name);
  if (const auto* dict = object.get<DictPtr>()) {
    if (has_method(object, text)) return python_attribute(object, name, why_undefined);
    if (const Value* value = find(**dict, std::string_view(text))) return *value;
  } else if (const auto* missing = object.get<Undefined>()) {
    throw TemplateFault(missing->why->text);
  } else if (const auto* space = object.get<Namespace*>()) {
    for (const auto& [key, value] : (*space)->attributes) {
      if (key == text) return value;
    }
  } else if (const auto* loop = object.get<std::shared_ptr<LoopState>>()) {
    return loop_attribute(**loop, text, why_undefined);
  }
  return python_attribute(object, name, why_undefined);
}

Value item_of(const Value& object, const Value& key) {
  if (const auto* missing = object.get<Undefined>()) throw TemplateFault(missing->why->text);
  if (const auto* dict = object.get<DictPtr>()) {
    if (const Value* value = find(**dict, key)) return *value;
  }
  const auto* sequence = object.get<SequencePtr>();
  const auto index = whole_number(key);
  const bool has_items = sequence && (*sequence)->kind <= SequenceKind::range;
  if (index && (has_items || text_in(object))) {
    const int64_t count = length(object), place = *index < 0 ? *index + count : *index;
    if (place < 0 || place >= count) return undefined(concat("there is no item ", *index));
    const auto at = static_cast<size_t>(place);
    if (has_items) return (*sequence)->items[at];
    return make_text(std::string(characters(*text_in(object))[at]));
  }
  const std::string* name = text_in(key);
  if (!name) return undefined(concat("a ", type_name(object), " has no such item"));
  const Value why = make_text(concat("there is no item '", *name, "'"));
  if (object.is<DictPtr>()) return python_attribute(object, key, *why.get<TextPtr>());
  return attribute_of(object, key, *why.get<TextPtr>());
}

Value slice_of(const Value& object, const Value& start, const Value& stop, const Value& step) {
  if (const auto* missing = object.get<Undefined>()) throw TemplateFault(missing->why->text);
  const auto* sequence = object.get<SequencePtr>();
  if (const std::string* text = text_in(object)) {
    const std::vector<std::string_view> all = characters(*text);
    std::string result;
    for (const size_t place : slice_places(static_cast<int64_t>(all.size()), start, stop, step)) {
      result += all[place];
    }
    return make_text(std::move(result));
  }
  if (!sequence || (*sequence)->kind > SequenceKind::range) {
    throw TemplateFault(concat("a ", type_name(object), " has no slices"));
  }
  const std::vector<Value>& items = (*sequence)->items;
  const auto places = slice_places(static_cast<int64_t>(items.size()), start, stop, step);
  std::vector<Value> result;
  result.reserve(places.size());
  for (const size_t place : places) result.push_back(items[place]);
  return make_sequence(std::move(result), (*sequence)->kind);
}

}  // namespace argosy::jinja
