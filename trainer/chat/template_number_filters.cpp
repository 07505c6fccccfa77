// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Filters that make numbers, and `default`.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "planner/spec/check.h"
#include "planner/spec/number_text.h"
#include "trainer/chat/template_arguments.h"
#include "trainer/chat/template_filters.h"
#include "trainer/chat/template_operators.h"
#include "trainer/chat/template_utf8.h"

namespace argosy::jinja {

namespace {

Value with_default(const Value& input, const Arguments& arguments) {
  const auto [fallback, boolean] = bind<2>(arguments, {"default_value", "boolean"});
  const bool is_missing = input.is<Undefined>() || (flag_or(boolean, false) && !truth(input));
  if (!is_missing) return input;
  return fallback ? *fallback : make_text("");
}

Value count(const Value& input, const Arguments& arguments) {
  expect_no_arguments(arguments);
  return {length(input)};
}

// int() and float() of a text: blanks around it and a plus are allowed.
template <typename Number>
std::optional<Number> parsed(const std::string& text) {
  std::string_view digits = strip(text, Side::both);
  if (digits.size() > 1 && digits[0] == '+' && digits[1] != '-') digits.remove_prefix(1);
  return argosy::number_in<Number>(digits);
}

std::optional<int64_t> truncated(double number) {
  if (std::isnan(number) || std::fabs(number) >= 9.2e18) return std::nullopt;
  return static_cast<int64_t>(number);
}

Value to_int(const Value& input, const Arguments& arguments) {
  const auto [fallback, base] = bind<2>(arguments, {"default", "base"});
  if (base && !equal(*base, {int64_t{10}}))
    throw TemplateFault("another base than 10 is not supported");
  if (const auto* missing = input.get<Undefined>()) throw TemplateFault(missing->why->text);
  std::optional<int64_t> number = whole_number(input);
  if (const std::string* text = text_in(input)) {
    number = parsed<int64_t>(*text);
    const auto real = number ? std::nullopt : parsed<double>(*text);
    if (real) number = truncated(*real);
  } else if (const auto* real = input.get<double>()) {
    number = truncated(*real);
  }
  if (number) return {*number};
  return fallback ? *fallback : Value{int64_t{0}};
}

Value to_float(const Value& input, const Arguments& arguments) {
  const auto [fallback] = bind<1>(arguments, {"default"});
  if (const auto* missing = input.get<Undefined>()) throw TemplateFault(missing->why->text);
  const std::string* text = text_in(input);
  const auto number = text ? parsed<double>(*text) : real_number(input);
  if (number) return {*number};
  return fallback ? *fallback : Value{0.0};
}

Value absolute(const Value& input, const Arguments& arguments) {
  expect_no_arguments(arguments);
  if (const auto* number = input.get<double>()) return {std::fabs(*number)};
  return less(input, {int64_t{0}}) ? negated(input) : unary_plus(input);
}

// Python's round(): halves to even, by the exact value of the number.
double rounded(double number, int digits) {
  if (digits <= 0 || !std::isfinite(number)) {
    const double factor = std::pow(10.0, -digits);
    return std::nearbyint(number / factor) * factor;
  }
  char text[400];
  std::snprintf(text, sizeof(text), "%.*f", std::min(digits, 30), number);
  return std::strtod(text, nullptr);
}

Value round_number(const Value& input, const Arguments& arguments) {
  const auto [precision, method] = bind<2>(arguments, {"precision", "method"});
  const std::string how = text_or(method, "common");
  const auto number = real_number(input);
  if (!number) throw TemplateFault(concat("takes a number, not a ", type_name(input)));
  const auto digits = static_cast<int>(std::clamp<int64_t>(whole_or(precision, 0), -300, 300));
  if (how == "common") {
    if (input.is<double>()) return {rounded(*number, digits)};
    if (digits >= 0) return {*whole_number(input)};
    return {static_cast<int64_t>(rounded(*number, digits))};
  }
  if (how != "ceil" && how != "floor")
    throw TemplateFault("`method` must be common, ceil or floor");
  const double factor = std::pow(10.0, digits), scaled = *number * factor;
  return {(how == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / factor};
}

Value sum(const Value& input, const Arguments& arguments) {
  const auto [attribute, start] = bind<2>(arguments, {"attribute", "start"});
  Value total = start ? *start : Value{int64_t{0}};
  const bool has_attribute = attribute && !attribute->is<None>();
  const SequencePtr items = iterate(input);
  for (const Value& item : items->items) {
    total = apply(Operator::add, total, has_attribute ? attribute_at(item, *attribute) : item);
  }
  return total;
}

constexpr NamedFilter kNumberFilters[] = {
    {"default", with_default}, {"d", with_default},     {"length", count},
    {"count", count},          {"int", to_int},         {"float", to_float},
    {"abs", absolute},         {"round", round_number}, {"sum", sum}};

}  // namespace

std::span<const NamedFilter> number_filters() {
  return kNumberFilters;
}

}  // namespace argosy::jinja
