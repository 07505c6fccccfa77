// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Arguments of filters, tests, methods and functions by the names of their parameters.
#pragma once

#include <array>
#include <string>

#include "planner/spec/check.h"
#include "trainer/chat/template_ast.h"
#include "trainer/chat/template_write.h"

namespace argosy::jinja {

// One entry a parameter, null where it is not given. TemplateFault: too many arguments, or a name
// that is none of the parameters' or is given twice.
template <size_t count>
std::array<const Value*, count> bind(const Arguments& arguments,
                                     const std::array<const char*, count>& parameters) {
  std::array<const Value*, count> bound{};
  if (arguments.values.size() > count) {
    throw TemplateFault(
        concat("takes at most ", count, " arguments, ", arguments.values.size(), " are given"));
  }
  for (size_t i = 0; i < arguments.values.size(); ++i) bound[i] = &arguments.values[i];
  for (const auto& [name, value] : arguments.named) {
    size_t place = 0;
    while (place < count && name != parameters[place]) ++place;
    if (place == count) throw TemplateFault(concat("has no parameter `", name, "`"));
    if (bound[place]) throw TemplateFault(concat("`", name, "` is given twice"));
    bound[place] = &value;
  }
  return bound;
}

inline void expect_no_arguments(const Arguments& arguments) {
  if (!arguments.values.empty() || !arguments.named.empty()) {
    throw TemplateFault("takes no arguments");
  }
}

// The text that it is; TemplateFault for another type.
inline const std::string& text_of(const Value& value) {
  const std::string* text = text_in(value);
  if (!text) throw TemplateFault(concat("takes a str, not a ", type_name(value)));
  return *text;
}

// What is given, or the fallback; TemplateFault for another type.
inline std::string text_or(const Value* value, const char* fallback) {
  return value ? text_of(*value) : fallback;
}

inline int64_t whole_or(const Value* value, int64_t fallback) {
  if (!value) return fallback;
  const auto number = whole_number(*value);
  if (!number) throw TemplateFault(concat("takes a whole number, not a ", type_name(*value)));
  return *number;
}

inline bool flag_or(const Value* value, bool fallback) {
  return value ? truth(*value) : fallback;
}

inline const Value& required(const Value* value, const char* parameter) {
  if (!value) throw TemplateFault(concat("needs the argument `", parameter, "`"));
  return *value;
}

}  // namespace argosy::jinja
