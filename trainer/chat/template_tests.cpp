// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/template_tests.h"

#include <utility>

#include "planner/spec/check.h"
#include "trainer/chat/template_arguments.h"
#include "trainer/chat/template_operators.h"
#include "trainer/chat/template_utf8.h"

namespace argosy::jinja {

namespace {

// A test without arguments.
template <bool (*function)(const Value&)>
bool plain(const Value& value, const Arguments& arguments) {
  expect_no_arguments(arguments);
  return function(value);
}

// A test that compares with its one argument.
template <Comparison comparison>
bool compared(const Value& value, const Arguments& arguments) {
  const auto [other] = bind<1>(arguments, {"other"});
  return compare(comparison, value, required(other, "other"));
}

bool is_defined(const Value& value) {
  return !value.is<Undefined>();
}
bool is_undefined(const Value& value) {
  return value.is<Undefined>();
}
bool is_none(const Value& value) {
  return value.is<None>();
}
bool is_string(const Value& value) {
  return value.is<TextPtr>();
}
bool is_boolean(const Value& value) {
  return value.is<bool>();
}
bool is_integer(const Value& value) {
  return value.is<int64_t>();
}
bool is_float(const Value& value) {
  return value.is<double>();
}
bool is_number(const Value& value) {
  return real_number(value).has_value();
}
bool is_mapping(const Value& value) {
  return value.is<DictPtr>();
}
bool is_true(const Value& value) {
  return value.is<bool>() && *value.get<bool>();
}
bool is_false(const Value& value) {
  return value.is<bool>() && !*value.get<bool>();
}

// What has a length and items: a dict, a text and even an undefined value too.
bool is_sequence(const Value& value) {
  const auto* sequence = value.get<SequencePtr>();
  return value.is<DictPtr>() || value.is<TextPtr>() || value.is<Undefined>() ||
         (sequence && (*sequence)->kind <= SequenceKind::range);
}

bool is_iterable(const Value& value) {
  return value.is<DictPtr>() || value.is<TextPtr>() || value.is<SequencePtr>() ||
         value.is<Undefined>() || value.is<std::shared_ptr<LoopState>>();
}

bool is_callable(const Value& value) {
  return value.is<std::shared_ptr<const Callable>>() || value.is<Undefined>() ||
         value.is<std::shared_ptr<LoopState>>();
}

bool leaves_rest(const Value& value, int64_t divisor, int64_t rest) {
  const Value result = apply(Operator::modulo, value, {divisor});
  return equal(result, {rest});
}

bool is_odd(const Value& value) {
  return leaves_rest(value, 2, 1);
}
bool is_even(const Value& value) {
  return leaves_rest(value, 2, 0);
}

bool is_divisible(const Value& value, const Arguments& arguments) {
  const auto [divisor] = bind<1>(arguments, {"num"});
  return leaves_rest(value, whole_or(&required(divisor, "num"), 1), 0);
}

bool is_lower(const Value& value) {
  const std::string text = str(value);
  return text == lower(text) && text != upper(text);
}

bool is_upper(const Value& value) {
  const std::string text = str(value);
  return text == upper(text) && text != lower(text);
}

// Python's `is`, of what there is one of, and of objects.
bool is_same(const Value& value, const Arguments& arguments) {
  const auto [other_value] = bind<1>(arguments, {"other"});
  const Value& other = required(other_value, "other");
  if (value.data.index() != other.data.index()) return false;
  if (value.is<None>() || value.is<bool>()) return equal(value, other);
  if (const auto* sequence = value.get<SequencePtr>())
    return *sequence == *other.get<SequencePtr>();
  if (const auto* dict = value.get<DictPtr>()) return *dict == *other.get<DictPtr>();
  throw TemplateFault(concat("is not supported of a ", type_name(value)));
}

constexpr std::pair<std::string_view, TestFunction> kTests[] = {
    {"defined", plain<is_defined>},
    {"undefined", plain<is_undefined>},
    {"none", plain<is_none>},
    {"string", plain<is_string>},
    {"number", plain<is_number>},
    {"integer", plain<is_integer>},
    {"float", plain<is_float>},
    {"boolean", plain<is_boolean>},
    {"true", plain<is_true>},
    {"false", plain<is_false>},
    {"mapping", plain<is_mapping>},
    {"sequence", plain<is_sequence>},
    {"iterable", plain<is_iterable>},
    {"callable", plain<is_callable>},
    {"odd", plain<is_odd>},
    {"even", plain<is_even>},
    {"divisibleby", is_divisible},
    {"lower", plain<is_lower>},
    {"upper", plain<is_upper>},
    {"sameas", is_same},
    {"in", compared<Comparison::in>},
    {"equalto", compared<Comparison::equal>},
    {"eq", compared<Comparison::equal>},
    {"==", compared<Comparison::equal>},
    {"ne", compared<Comparison::unequal>},
    {"!=", compared<Comparison::unequal>},
    {"lt", compared<Comparison::less>},
    {"lessthan", compared<Comparison::less>},
    {"<", compared<Comparison::less>},
    {"le", compared<Comparison::less_equal>},
    {"<=", compared<Comparison::less_equal>},
    {"gt", compared<Comparison::greater>},
    {"greaterthan", compared<Comparison::greater>},
    {">", compared<Comparison::greater>},
    {"ge", compared<Comparison::greater_equal>},
    {">=", compared<Comparison::greater_equal>}};

}  // namespace

TestFunction find_test(std::string_view name) {
  for (const auto& [known, function] : kTests) {
    if (known == name) return function;
  }
  return nullptr;
}

std::string test_names() {
  std::string names;
  for (const auto& [name, function] : kTests) append_listed(names, name);
  return names;
}

}  // namespace argosy::jinja
