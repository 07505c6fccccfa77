// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/template_operators.h"

#include <algorithm>
#include <cmath>

#include "planner/spec/check.h"
#include "trainer/chat/template_utf8.h"
#include "trainer/chat/template_write.h"

namespace argosy::jinja {

namespace {

constexpr int64_t kMaxRepeatedBytes = int64_t{1} << 28;

const char* symbol(Operator op) {
  static constexpr const char* kSymbols[] = {"+", "-", "*", "/", "//", "%", "**", "~"};
  return kSymbols[static_cast<size_t>(op)];
}

[[noreturn]] void fail_between(Operator op, const Value& left, const Value& right) {
  for (const Value* value : {&left, &right}) {
    if (const auto* missing = value->get<Undefined>()) throw TemplateFault(missing->why->text);
  }
  throw TemplateFault(concat("`", symbol(op), "` is not supported between a ", type_name(left),
                             " and a ", type_name(right)));
}

void refuse_overflow(bool overflows) {
  if (overflows) throw TemplateFault("a whole number is beyond 64 bits");
}

Value integer_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  for (int64_t i = 0; i < exponent; ++i) {
    if (base == 0 || base == 1) return {exponent == 0 ? int64_t{1} : base};
    if (base == -1) return {int64_t{exponent % 2 == 0 ? 1 : -1}};
    refuse_overflow(__builtin_mul_overflow(result, base, &result));
  }
  return {result};
}

Value apply_integers(Operator op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case Operator::add:
      refuse_overflow(__builtin_add_overflow(a, b, &result));
      return {result};
    case Operator::subtract:
      refuse_overflow(__builtin_sub_overflow(a, b, &result));
      return {result};
    case Operator::multiply:
      refuse_overflow(__builtin_mul_overflow(a, b, &result));
      return {result};
    case Operator::power:
      if (b < 0) return {std::pow(static_cast<double>(a), static_cast<double>(b))};
      return integer_power(a, b);
    case Operator::divide:
    case Operator::floor_divide:
    case Operator::modulo:
    case Operator::concatenate:
      break;
  }
  if (b == 0) throw TemplateFault("division by zero");
  if (op == Operator::divide) return {static_cast<double>(a) / static_cast<double>(b)};
  if (b == -1) {  // the one quotient that may not fit
    if (op == Operator::modulo) return {int64_t{0}};
    refuse_overflow(__builtin_sub_overflow(int64_t{0}, a, &result));
    return {result};
  }
  const bool rounds_down = a % b != 0 && (a < 0) != (b < 0);
  if (op == Operator::modulo) return {a % b + (rounds_down ? b : 0)};
  return {a / b - (rounds_down ? 1 : 0)};
}

Value apply_numbers(Operator op, double a, double b) {
  switch (op) {
    case Operator::add:
      return {a + b};
    case Operator::subtract:
      return {a - b};
    case Operator::multiply:
      return {a * b};
    case Operator::power:
      return {std::pow(a, b)};
    case Operator::divide:
    case Operator::floor_divide:
    case Operator::modulo:
    case Operator::concatenate:
      break;
  }
  if (b == 0) throw TemplateFault("division by zero");
  if (op == Operator::divide) return {a / b};
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  if (op == Operator::modulo) return {rest};
  return {std::round((a - rest) / b)};
}

std::string escaped(const Value& value) {
  const auto* text = value.get<TextPtr>();
  if ((*text)->is_markup) return (*text)->text;
  return escape_markup((*text)->text);
}

Value add_texts(const Value& left, const Value& right) {
  const bool is_markup = (*left.get<TextPtr>())->is_markup || (*right.get<TextPtr>())->is_markup;
  if (is_markup) return make_markup(escaped(left) + escaped(right));
  return make_text(*text_in(left) + *text_in(right));
}

Value add_sequences(const Value& left, const Value& right) {
  const Sequence &a = **left.get<SequencePtr>(), &b = **right.get<SequencePtr>();
  if (a.kind != b.kind || a.kind > SequenceKind::tuple) fail_between(Operator::add, left, right);
  std::vector<Value> items = a.items;
  items.insert(items.end(), b.items.begin(), b.items.end());
  return make_sequence(std::move(items), a.kind);
}

Value repeated(const Value& value, int64_t count) {
  const std::string* text = text_in(value);
  const size_t size = text ? text->size() : (*value.get<SequencePtr>())->items.size();
  if (count > 0 && static_cast<int64_t>(size) > kMaxRepeatedBytes / count) {
    throw TemplateFault(concat("a ", type_name(value), " is repeated ", count, " times"));
  }
  if (text) {
    std::string result;
    for (int64_t i = 0; i < count; ++i) result += *text;
    return make_text(std::move(result));
  }
  std::vector<Value> items;
  const Sequence& sequence = **value.get<SequencePtr>();
  for (int64_t i = 0; i < count; ++i) {
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return make_sequence(std::move(items), sequence.kind);
}

bool is_repeatable(const Value& value) {
  const auto* sequence = value.get<SequencePtr>();
  return text_in(value) || (sequence && (*sequence)->kind <= SequenceKind::tuple);
}

bool contains(const Value& container, const Value& item) {
  if (const std::string* text = text_in(container)) {
    const std::string* part = text_in(item);
    if (!part) throw TemplateFault(concat("`in` a str needs a str, not a ", type_name(item)));
    return text->find(*part) != std::string::npos;
  }
  if (const auto* dict = container.get<DictPtr>()) return find(**dict, item) != nullptr;
  const SequencePtr items = iterate(container);
  return std::any_of(items->items.begin(), items->items.end(),
                     [&](const Value& other) { return equal(other, item); });
}

}  // namespace

Value apply(Operator op, const Value& left, const Value& right) {
  if (op == Operator::concatenate) {
    std::string text = str(left);
    append_str(text, right);
    return make_text(std::move(text));
  }
  const auto a = whole_number(left), b = whole_number(right);
  if (a && b) return apply_integers(op, *a, *b);
  const auto x = real_number(left), y = real_number(right);
  if (x && y) return apply_numbers(op, *x, *y);
  if (op == Operator::add && text_in(left) && text_in(right)) return add_texts(left, right);
  if (op == Operator::add && left.is<SequencePtr>() && right.is<SequencePtr>()) {
    return add_sequences(left, right);
  }
  if (op == Operator::multiply && is_repeatable(left) && b) return repeated(left, *b);
  if (op == Operator::multiply && is_repeatable(right) && a) return repeated(right, *a);
  fail_between(op, left, right);
}

Value negated(const Value& value) {
  if (const auto* number = value.get<double>()) return {-*number};
  return apply(Operator::subtract, {int64_t{0}}, value);
}

Value unary_plus(const Value& value) {
  if (value.is<double>()) return value;
  return apply(Operator::add, {int64_t{0}}, value);
}

bool compare(Comparison comparison, const Value& left, const Value& right) {
  switch (comparison) {
    case Comparison::equal:
      return equal(left, right);
    case Comparison::unequal:
      return !equal(left, right);
    case Comparison::less:
      return less(left, right);
    case Comparison::greater:
      return less(right, left);
    case Comparison::less_equal:
      return less(left, right) || equal(left, right);
    case Comparison::greater_equal:
      return less(right, left) || equal(left, right);
    case Comparison::in:
      return contains(right, left);
    case Comparison::not_in:
      break;
  }
  return !contains(right, left);
}

}  // namespace argosy::jinja
