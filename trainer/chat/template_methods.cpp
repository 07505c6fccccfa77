// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/template_methods.h"

#include <algorithm>
#include <array>

#include "planner/spec/check.h"
#include "trainer/chat/template_arguments.h"
#include "trainer/chat/template_text_methods.h"

namespace argosy::jinja {

namespace {

template <size_t count>
bool is_one_of(std::string_view name, const std::string_view (&names)[count]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Python has them; here they are errors instead of undefined.
constexpr std::string_view kOtherTextMethods[] = {
    "casefold",    "center",  "encode",  "expandtabs", "format",       "format_map", "index",
    "isalnum",     "isalpha", "isascii", "isdecimal",  "isidentifier", "islower",    "isnumeric",
    "isprintable", "isspace", "istitle", "isupper",    "ljust",        "maketrans",  "partition",
    "rfind",       "rindex",  "rjust",   "rpartition", "swapcase",     "translate",  "zfill"};
constexpr std::string_view kDictMethods[] = {"get", "items", "keys", "values"};
constexpr std::string_view kOtherDictMethods[] = {"copy", "fromkeys"};
constexpr std::string_view kOtherListMethods[] = {"copy", "count", "index"};
constexpr std::string_view kForbiddenDictMethods[] = {"clear", "pop", "popitem", "setdefault",
                                                      "update"};
constexpr std::string_view kForbiddenListMethods[] = {"append", "clear",  "extend",  "insert",
                                                      "pop",    "remove", "reverse", "sort"};

Value dict_entries(const Dict& dict, SequenceKind kind) {
  std::vector<Value> items;
  items.reserve(dict.entries.size());
  for (const auto& [key, value] : dict.entries) {
    if (kind == SequenceKind::dict_items) {
      items.push_back(make_sequence({key, value}, SequenceKind::tuple));
    } else {
      items.push_back(kind == SequenceKind::dict_keys ? key : value);
    }
  }
  return make_sequence(std::move(items), kind);
}

Value call_dict_method(const Dict& dict, std::string_view name, const Arguments& arguments) {
  if (name == "get") {
    if (!arguments.named.empty()) throw TemplateFault("takes no arguments with names");
    const auto [key, fallback] = bind<2>(arguments, {"key", "default"});
    const Value* value = find(dict, required(key, "key"));
    if (value) return *value;
    return fallback ? *fallback : Value{None{}};
  }
  expect_no_arguments(arguments);
  if (name == "keys") return dict_entries(dict, SequenceKind::dict_keys);
  if (name == "values") return dict_entries(dict, SequenceKind::dict_values);
  return dict_entries(dict, SequenceKind::dict_items);
}

Value call_text_method(const Value& object, TextMethod method, std::string_view name,
                       const Arguments& arguments) {
  const bool is_markup = (*object.get<TextPtr>())->is_markup;
  if (!is_markup) return method(*text_in(object), arguments);
  const bool strips = name == "strip" || name == "lstrip" || name == "rstrip";
  if (!strips) throw TemplateFault("is not supported of what `safe` or `escape` has made");
  return make_markup(*text_in(method(*text_in(object), arguments)));
}

bool is_list(const Value& object) {
  const auto* sequence = object.get<SequencePtr>();
  return sequence && (*sequence)->kind == SequenceKind::list;
}

}  // namespace

bool has_method(const Value& object, std::string_view name) {
  if (is_forbidden_method(object, name)) return true;
  if (object.is<TextPtr>()) return find_text_method(name) || is_one_of(name, kOtherTextMethods);
  if (object.is<DictPtr>()) {
    return is_one_of(name, kDictMethods) || is_one_of(name, kOtherDictMethods);
  }
  return object.is<SequencePtr>() && is_one_of(name, kOtherListMethods);
}

bool is_forbidden_method(const Value& object, std::string_view name) {
  if (object.is<DictPtr>()) return is_one_of(name, kForbiddenDictMethods);
  return is_list(object) && is_one_of(name, kForbiddenListMethods);
}

Value call_method(const Value& object, std::string_view name, const Arguments& arguments) {
  const TextMethod text_method = object.is<TextPtr>() ? find_text_method(name) : nullptr;
  if (text_method) return call_text_method(object, text_method, name, arguments);
  const auto* dict = object.get<DictPtr>();
  if (dict && is_one_of(name, kDictMethods)) return call_dict_method(**dict, name, arguments);
  throw TemplateFault(is_forbidden_method(object, name)
                          ? "is not allowed: it would change a list or a dict"
                          : "is not supported yet");
}

}  // namespace argosy::jinja
