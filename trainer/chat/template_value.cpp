// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/template_value.h"

#include <algorithm>

#include "planner/spec/check.h"
#include "trainer/chat/template_utf8.h"

namespace argosy::jinja {

namespace {

int depth_of(const Value& value) {
  if (const auto* sequence = value.get<SequencePtr>()) return (*sequence)->depth;
  if (const auto* dict = value.get<DictPtr>()) return (*dict)->depth;
  return 0;
}

int checked_depth(int inner) {
  if (inner >= kMaxValueDepth) {
    throw TemplateFault(
        concat("lists and dicts stand in each other more than ", kMaxValueDepth, " deep"));
  }
  return inner + 1;
}

bool equal_sequences(const Sequence& a, const Sequence& b) {
  return a.kind == b.kind &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), equal);
}

bool equal_dicts(const Dict& a, const Dict& b) {
  return a.entries.size() == b.entries.size() &&
         std::all_of(a.entries.begin(), a.entries.end(), [&](const auto& entry) {
           const Value* other = find(b, entry.first);
           return other && equal(entry.second, *other);
         });
}

bool less_sequences(const Sequence& a, const Sequence& b) {
  const size_t common = std::min(a.items.size(), b.items.size());
  for (size_t i = 0; i < common; ++i) {
    if (!equal(a.items[i], b.items[i])) return less(a.items[i], b.items[i]);
  }
  return a.items.size() < b.items.size();
}

SequencePtr sequence_of(std::vector<Value> items) {
  auto sequence = std::make_shared<Sequence>();
  sequence->items = std::move(items);
  return sequence;
}

SequencePtr rest_of(Sequence& generator) {
  std::vector<Value> rest(generator.items.begin() + static_cast<std::ptrdiff_t>(generator.taken),
                          generator.items.end());
  generator.taken = generator.items.size();
  if (!generator.fault.empty()) throw TemplateFault(generator.fault);
  return sequence_of(std::move(rest));
}

}  // namespace

Value make_text(std::string text) {
  return {std::make_shared<const TextData>(TextData{std::move(text), false})};
}

Value make_markup(std::string text) {
  return {std::make_shared<const TextData>(TextData{std::move(text), true})};
}

Value make_sequence(std::vector<Value> items, SequenceKind kind) {
  int inner = 0;
  for (const Value& item : items) inner = std::max(inner, depth_of(item));
  auto sequence = std::make_shared<Sequence>();
  sequence->kind = kind;
  sequence->items = std::move(items);
  sequence->depth = checked_depth(inner);
  return {sequence};
}

Value make_dict(std::vector<std::pair<Value, Value>> entries) {
  auto dict = std::make_shared<Dict>();
  dict->entries.reserve(entries.size());
  int inner = 0;
  for (std::pair<Value, Value>& entry : entries) {
    inner = std::max({inner, depth_of(entry.first), depth_of(entry.second)});
    if (const Value* present = find(*dict, entry.first)) {
      const_cast<Value&>(*present) = std::move(entry.second);  // ours: made above
    } else {
      dict->entries.push_back(std::move(entry));
    }
  }
  dict->depth = checked_depth(inner);
  return {DictPtr(std::move(dict))};
}

Value undefined(std::string why) {
  return {Undefined{std::make_shared<const TextData>(TextData{std::move(why), false})}};
}

const std::string* text_in(const Value& value) {
  const auto* text = value.get<TextPtr>();
  return text ? &(*text)->text : nullptr;
}

const Value* find(const Dict& dict, std::string_view key) {
  for (const auto& [name, value] : dict.entries) {
    const std::string* text = text_in(name);
    if (text && *text == key) return &value;
  }
  return nullptr;
}

const Value* find(const Dict& dict, const Value& key) {
  if (const std::string* text = text_in(key)) return find(dict, std::string_view(*text));
  const auto* sequence = key.get<SequencePtr>();
  if (key.is<DictPtr>() || (sequence && (*sequence)->kind == SequenceKind::list)) {
    throw TemplateFault(concat("a ", type_name(key), " cannot be the key of a dict"));
  }
  for (const auto& [name, value] : dict.entries) {
    if (equal(name, key)) return &value;
  }
  return nullptr;
}

std::optional<int64_t> whole_number(const Value& value) {
  if (const auto* number = value.get<int64_t>()) return *number;
  if (const auto* flag = value.get<bool>()) return *flag ? 1 : 0;
  return std::nullopt;
}

std::optional<double> real_number(const Value& value) {
  if (const auto* number = value.get<double>()) return *number;
  if (const auto integer = whole_number(value)) return static_cast<double>(*integer);
  return std::nullopt;
}

bool truth(const Value& value) {
  if (value.is<Undefined>() || value.is<None>()) return false;
  if (const auto number = real_number(value)) return *number != 0;
  if (const std::string* text = text_in(value)) return !text->empty();
  if (const auto* dict = value.get<DictPtr>()) return !(*dict)->entries.empty();
  if (const auto* sequence = value.get<SequencePtr>()) {
    return (*sequence)->kind == SequenceKind::generator || !(*sequence)->items.empty();
  }
  return true;
}

bool equal(const Value& a, const Value& b) {
  if (const std::string* text = text_in(a)) {
    const std::string* other = text_in(b);
    return other && *text == *other;
  }
  const auto left = whole_number(a), right = whole_number(b);
  if (left && right) return *left == *right;
  const auto number = real_number(a), other_number = real_number(b);
  if (number && other_number) return *number == *other_number;
  if (a.data.index() != b.data.index()) return false;
  if (a.is<Undefined>() || a.is<None>()) return true;
  if (const auto* sequence = a.get<SequencePtr>()) {
    if (*sequence == *b.get<SequencePtr>()) return true;
    return (*sequence)->kind != SequenceKind::generator &&
           equal_sequences(**sequence, **b.get<SequencePtr>());
  }
  if (const auto* dict = a.get<DictPtr>()) return equal_dicts(**dict, **b.get<DictPtr>());
  if (const auto* space = a.get<Namespace*>()) return *space == *b.get<Namespace*>();
  if (const auto* loop = a.get<std::shared_ptr<LoopState>>()) {
    return *loop == *b.get<std::shared_ptr<LoopState>>();
  }
  return *a.get<std::shared_ptr<const Callable>>() == *b.get<std::shared_ptr<const Callable>>();
}

bool less(const Value& a, const Value& b) {
  const std::string *text = text_in(a), *other_text = text_in(b);
  if (text && other_text) return *text < *other_text;  // UTF-8 sorts as its characters do
  const auto left = whole_number(a), right = whole_number(b);
  if (left && right) return *left < *right;
  const auto number = real_number(a), other_number = real_number(b);
  if (number && other_number) return *number < *other_number;
  const auto *items = a.get<SequencePtr>(), *other_items = b.get<SequencePtr>();
  if (items && other_items && (*items)->kind == (*other_items)->kind &&
      (*items)->kind <= SequenceKind::tuple) {
    return less_sequences(**items, **other_items);
  }
  if (const auto* missing = a.get<Undefined>()) throw TemplateFault(missing->why->text);
  if (const auto* missing = b.get<Undefined>()) throw TemplateFault(missing->why->text);
  throw TemplateFault(
      concat("a ", type_name(a), " and a ", type_name(b), " cannot be compared by order"));
}

const char* type_name(const Value& value) {
  static constexpr const char* kSequences[] = {"list",      "tuple",       "range",     "generator",
                                               "dict_keys", "dict_values", "dict_items"};
  static constexpr const char* kOthers[] = {"Undefined", "NoneType",    "bool",    "int",
                                            "float",     "str",         "",        "dict",
                                            "Namespace", "LoopContext", "function"};
  if (const auto* sequence = value.get<SequencePtr>()) {
    return kSequences[static_cast<size_t>((*sequence)->kind)];
  }
  return kOthers[value.data.index()];
}

SequencePtr iterate(const Value& value) {
  if (const auto* sequence = value.get<SequencePtr>()) {
    return (*sequence)->kind == SequenceKind::generator ? rest_of(**sequence) : *sequence;
  }
  std::vector<Value> items;
  if (const auto* dict = value.get<DictPtr>()) {
    items.reserve((*dict)->entries.size());
    for (const auto& entry : (*dict)->entries) items.push_back(entry.first);
  } else if (const std::string* text = text_in(value)) {
    for (const std::string_view character : characters(*text)) {
      items.push_back(make_text(std::string(character)));
    }
  } else if (!value.is<Undefined>()) {
    throw TemplateFault(concat("a ", type_name(value), " cannot be iterated over"));
  }
  return sequence_of(std::move(items));
}

int64_t length(const Value& value) {
  if (const std::string* text = text_in(value)) return num_characters(*text);
  if (const auto* dict = value.get<DictPtr>()) {
    return static_cast<int64_t>((*dict)->entries.size());
  }
  if (value.is<Undefined>()) return 0;
  if (const auto* loop = value.get<std::shared_ptr<LoopState>>()) {
    return static_cast<int64_t>((*loop)->items->items.size());
  }
  const auto* sequence = value.get<SequencePtr>();
  if (!sequence || (*sequence)->kind == SequenceKind::generator) {
    throw TemplateFault(concat("a ", type_name(value), " has no length"));
  }
  return static_cast<int64_t>((*sequence)->items.size());
}

}  // namespace argosy::jinja
