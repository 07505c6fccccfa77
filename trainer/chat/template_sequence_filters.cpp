// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Filters of whole sequences: their order, their ends, what is in them twice.
#include <algorithm>
#include <array>

#include "planner/spec/check.h"
#include "planner/spec/number_text.h"
#include "trainer/chat/template_arguments.h"
#include "trainer/chat/template_filters.h"
#include "trainer/chat/template_operators.h"
#include "trainer/chat/template_utf8.h"

namespace argosy::jinja {

namespace {

// What items are compared by: an attribute, and no capitals where they do not count.
struct SortKey {
  const Value* attribute = nullptr;
  bool ignores_case = true;

  Value of(const Value& item) const {
    Value key = attribute && !attribute->is<None>() ? attribute_at(item, *attribute) : item;
    const std::string* text = ignores_case ? text_in(key) : nullptr;
    return text ? make_text(lower(*text)) : key;
  }
};

std::vector<Value> sorted(const std::vector<Value>& items, const SortKey& key, bool descends) {
  std::vector<std::pair<Value, Value>> keyed;
  keyed.reserve(items.size());
  for (const Value& item : items) keyed.emplace_back(key.of(item), item);
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return descends ? less(b.first, a.first) : less(a.first, b.first);
  });
  std::vector<Value> result;
  result.reserve(items.size());
  for (auto& entry : keyed) result.push_back(std::move(entry.second));
  return result;
}

Value sort(const Value& input, const Arguments& arguments) {
  const auto [descends, case_sensitive, attribute] =
      bind<3>(arguments, {"reverse", "case_sensitive", "attribute"});
  const std::string* path = attribute ? text_in(*attribute) : nullptr;
  if (path && path->find(',') != std::string::npos) {
    throw TemplateFault("several attributes are not supported yet");
  }
  const SortKey key{attribute, !flag_or(case_sensitive, false)};
  return make_sequence(sorted(iterate(input)->items, key, flag_or(descends, false)));
}

Value dictsort(const Value& input, const Arguments& arguments) {
  const auto [case_sensitive, by, descends] =
      bind<3>(arguments, {"case_sensitive", "by", "reverse"});
  const std::string part = text_or(by, "key");
  if (part != "key" && part != "value") throw TemplateFault("`by` must be key or value");
  const auto* dict = input.get<DictPtr>();
  if (!dict) throw TemplateFault(concat("takes a dict, not a ", type_name(input)));
  std::vector<Value> pairs;
  pairs.reserve((*dict)->entries.size());
  for (const auto& [name, value] : (*dict)->entries) {
    pairs.push_back(make_sequence({name, value}, SequenceKind::tuple));
  }
  const Value place{int64_t{part == "key" ? 0 : 1}};
  const SortKey key{&place, !flag_or(case_sensitive, false)};
  return make_sequence(sorted(pairs, key, flag_or(descends, false)));
}

Value unique(const Value& input, const Arguments& arguments) {
  const auto [case_sensitive, attribute] = bind<2>(arguments, {"case_sensitive", "attribute"});
  const SortKey key{attribute, !flag_or(case_sensitive, false)};
  return make_generator([&](std::vector<Value>& result) {
    std::vector<Value> seen;
    const SequencePtr items = iterate(input);
    for (const Value& item : items->items) {
      Value value = key.of(item);
      const bool is_new = std::none_of(seen.begin(), seen.end(),
                                       [&](const Value& other) { return equal(other, value); });
      if (!is_new) continue;
      seen.push_back(std::move(value));
      result.push_back(item);
    }
  });
}

Value extreme(const Value& input, const Arguments& arguments, bool is_max) {
  const auto [case_sensitive, attribute] = bind<2>(arguments, {"case_sensitive", "attribute"});
  const SortKey key{attribute, !flag_or(case_sensitive, false)};
  const SequencePtr items = iterate(input);
  const Value* best = nullptr;
  Value best_key;
  for (const Value& item : items->items) {
    Value value = key.of(item);
    if (best && !(is_max ? less(best_key, value) : less(value, best_key))) continue;
    best = &item;
    best_key = std::move(value);
  }
  return best ? *best : undefined("there is no aggregated item, the sequence is empty");
}

Value smallest(const Value& input, const Arguments& arguments) {
  return extreme(input, arguments, false);
}
Value largest(const Value& input, const Arguments& arguments) {
  return extreme(input, arguments, true);
}

Value first(const Value& input, const Arguments& arguments) {
  expect_no_arguments(arguments);
  const auto* sequence = input.get<SequencePtr>();
  if (sequence && (*sequence)->kind == SequenceKind::generator) {
    Sequence& generator = **sequence;
    if (generator.taken < generator.items.size()) return generator.items[generator.taken++];
    if (!generator.fault.empty()) throw TemplateFault(generator.fault);
  } else {
    const SequencePtr items = iterate(input);
    if (!items->items.empty()) return items->items.front();
  }
  return undefined("there is no first item, the sequence is empty");
}

void refuse_generator(const Value& input) {
  const auto* sequence = input.get<SequencePtr>();
  if (sequence && (*sequence)->kind == SequenceKind::generator) {
    throw TemplateFault("takes no generator; make a list of it");
  }
}

Value last(const Value& input, const Arguments& arguments) {
  expect_no_arguments(arguments);
  refuse_generator(input);
  const SequencePtr items = iterate(input);
  return items->items.empty() ? undefined("there is no last item, the sequence is empty")
                              : items->items.back();
}

Value reverse(const Value& input, const Arguments& arguments) {
  expect_no_arguments(arguments);
  if (input.is<TextPtr>()) {
    return slice_of(input, {None{}}, {None{}}, {int64_t{-1}});
  }
  std::vector<Value> items = iterate(input)->items;
  std::reverse(items.begin(), items.end());
  return make_sequence(std::move(items), SequenceKind::generator);
}

Value to_list(const Value& input, const Arguments& arguments) {
  expect_no_arguments(arguments);
  return make_sequence(iterate(input)->items);
}

Value items_of(const Value& input, const Arguments& arguments) {
  expect_no_arguments(arguments);
  return make_generator([&](std::vector<Value>& pairs) {
    if (const auto* dict = input.get<DictPtr>()) {
      for (const auto& [key, value] : (*dict)->entries) {
        pairs.push_back(make_sequence({key, value}, SequenceKind::tuple));
      }
    } else if (!input.is<Undefined>()) {
      throw TemplateFault(concat("takes a dict, not a ", type_name(input)));
    }
  });
}

constexpr NamedFilter kSequenceFilters[] = {
    {"first", first},       {"last", last},  {"list", to_list},  {"items", items_of},
    {"dictsort", dictsort}, {"sort", sort},  {"unique", unique}, {"reverse", reverse},
    {"min", smallest},      {"max", largest}};

}  // namespace

std::span<const NamedFilter> sequence_filters() {
  return kSequenceFilters;
}

Value attribute_at(const Value& object, const Value& path) {
  const std::string* text = text_in(path);
  if (!text) return item_of(object, path);
  Value value = object;
  for (const std::string& part : split_at(*text, ".", -1, false)) {
    const auto index = argosy::number_in<int64_t>(part);
    value = item_of(value, index && *index >= 0 ? Value{*index} : make_text(part));
  }
  return value;
}

}  // namespace argosy::jinja
