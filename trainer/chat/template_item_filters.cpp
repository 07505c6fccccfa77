// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Filters that apply a filter or a test to each item.
#include <algorithm>

#include "planner/spec/check.h"
#include "trainer/chat/template_arguments.h"
#include "trainer/chat/template_filters.h"
#include "trainer/chat/template_tests.h"

namespace argosy::jinja {

namespace {

// Without the first `count` of them.
Arguments rest_of(const Arguments& arguments, size_t count) {
  Arguments rest = arguments;
  rest.values.erase(rest.values.begin(), rest.values.begin() + static_cast<std::ptrdiff_t>(count));
  return rest;
}

// Items for which a test holds, or does not. Arguments: the attribute that is tested, if
// `of_attribute`; the test and what it takes; without a test whether the item is true.
Value selected(const Value& input, const Arguments& arguments, bool of_attribute, bool keeps) {
  const size_t num_before = of_attribute ? 1 : 0;
  if (arguments.values.size() < num_before) throw TemplateFault("needs the name of an attribute");
  const bool has_test = arguments.values.size() > num_before;
  TestFunction test = nullptr;
  if (has_test) {
    const std::string& name = text_or(&arguments.values[num_before], "");
    test = find_test(name);
    if (!test) throw TemplateFault(concat("test `", name, "` is not known; known: ", test_names()));
  }
  const Arguments rest = rest_of(arguments, num_before + (has_test ? 1 : 0));
  std::vector<Value> result;
  const SequencePtr items = iterate(input);
  for (const Value& item : items->items) {
    const Value value = of_attribute ? attribute_at(item, arguments.values[0]) : item;
    const bool holds = test ? test(value, rest) : truth(value);
    if (holds == keeps) result.push_back(item);
  }
  return make_sequence(std::move(result), SequenceKind::generator);
}

Value select(const Value& input, const Arguments& arguments) {
  return selected(input, arguments, false, true);
}
Value reject(const Value& input, const Arguments& arguments) {
  return selected(input, arguments, false, false);
}
Value selectattr(const Value& input, const Arguments& arguments) {
  return selected(input, arguments, true, true);
}
Value rejectattr(const Value& input, const Arguments& arguments) {
  return selected(input, arguments, true, false);
}

Value mapped_attributes(const Value& input, const Arguments& arguments) {
  const Value *attribute = nullptr, *fallback = nullptr;
  for (const auto& [name, value] : arguments.named) {
    if (name != "attribute" && name != "default") {
      throw TemplateFault(concat("has no parameter `", name, "`"));
    }
    (name == "attribute" ? attribute : fallback) = &value;
  }
  std::vector<Value> result;
  const SequencePtr items = iterate(input);
  for (const Value& item : items->items) {
    Value value = attribute_at(item, required(attribute, "attribute"));
    const bool is_missing = value.is<Undefined>() && fallback && !fallback->is<None>();
    result.push_back(is_missing ? *fallback : std::move(value));
  }
  return make_sequence(std::move(result), SequenceKind::generator);
}

Value map(const Value& input, const Arguments& arguments) {
  if (arguments.values.empty()) return mapped_attributes(input, arguments);
  const std::string& name = text_or(&arguments.values[0], "");
  const FilterFunction filter = find_filter(name);
  if (!filter) {
    throw TemplateFault(concat("filter `", name, "` is not known; known: ", filter_names()));
  }
  const Arguments rest = rest_of(arguments, 1);
  std::vector<Value> result;
  const SequencePtr items = iterate(input);
  for (const Value& item : items->items) result.push_back(filter(item, rest));
  return make_sequence(std::move(result), SequenceKind::generator);
}

constexpr NamedFilter kItemFilters[] = {{"select", select},
                                        {"reject", reject},
                                        {"selectattr", selectattr},
                                        {"rejectattr", rejectattr},
                                        {"map", map}};

}  // namespace

std::span<const NamedFilter> item_filters() {
  return kItemFilters;
}

}  // namespace argosy::jinja
