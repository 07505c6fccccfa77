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

TestFunction known_test(const std::string& name) {
  const TestFunction test = find_test(name);
  if (!test) throw TemplateFault(concat("test `", name, "` is not known; known: ", test_names()));
  return test;
}

FilterFunction known_filter(const std::string& name) {
  const FilterFunction filter = find_filter(name);
  if (filter) return filter;
  throw TemplateFault(concat("filter `", name, "` is not known; known: ", filter_names()));
}

// Items for which a test holds, or does not. Arguments: the attribute that is tested, if
// `of_attribute`; the test and what it takes; without a test whether the item is true.
Value selected(const Value& input, const Arguments& arguments, bool of_attribute, bool keeps) {
  return make_generator([&](std::vector<Value>& kept) {
    if (!truth(input)) return;
    const size_t num_before = of_attribute ? 1 : 0;
    if (arguments.values.size() < num_before) throw TemplateFault("needs the name of an attribute");
    const bool has_test = arguments.values.size() > num_before;
    const TestFunction test =
        has_test ? known_test(text_of(arguments.values[num_before])) : nullptr;
    const Arguments rest = rest_of(arguments, num_before + (has_test ? 1 : 0));
    const SequencePtr items = iterate(input);
    for (const Value& item : items->items) {
      const Value value = of_attribute ? attribute_at(item, arguments.values[0]) : item;
      const bool holds = test ? test(value, rest) : truth(value);
      if (holds == keeps) kept.push_back(item);
    }
  });
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

void append_attributes(const Value& input, const Arguments& arguments, std::vector<Value>& mapped) {
  const Value *attribute = nullptr, *fallback = nullptr;
  for (const auto& [name, value] : arguments.named) {
    if (name != "attribute" && name != "default") {
      throw TemplateFault(concat("has no parameter `", name, "`"));
    }
    (name == "attribute" ? attribute : fallback) = &value;
  }
  const SequencePtr items = iterate(input);
  for (const Value& item : items->items) {
    Value value = attribute_at(item, required(attribute, "attribute"));
    const bool is_missing = value.is<Undefined>() && fallback && !fallback->is<None>();
    if (is_missing) value = *fallback;
    mapped.push_back(std::move(value));
  }
}

Value map(const Value& input, const Arguments& arguments) {
  return make_generator([&](std::vector<Value>& mapped) {
    if (!truth(input)) return;
    if (arguments.values.empty()) return append_attributes(input, arguments, mapped);
    const FilterFunction filter = known_filter(text_of(arguments.values[0]));
    const Arguments rest = rest_of(arguments, 1);
    const SequencePtr items = iterate(input);
    for (const Value& item : items->items) mapped.push_back(filter(item, rest));
  });
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
