// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/template_text_methods.h"

#include <algorithm>
#include <array>

#include "planner/spec/check.h"
#include "trainer/chat/template_arguments.h"
#include "trainer/chat/template_utf8.h"

namespace argosy::jinja {

namespace {

using Text = const std::string&;

Value of_lines(std::vector<std::string> lines) {
  std::vector<Value> values;
  values.reserve(lines.size());
  for (std::string& line : lines) values.push_back(make_text(std::move(line)));
  return make_sequence(std::move(values));
}

Value strip_side(Text self, const Arguments& arguments, Side side) {
  const auto [what] = bind<1>(arguments, {"chars"});
  if (!what || what->is<None>()) return make_text(std::string(strip(self, side)));
  return make_text(std::string(strip(self, side, text_of(*what))));
}

Value strip_both(Text self, const Arguments& a) {
  return strip_side(self, a, Side::both);
}
Value strip_left(Text self, const Arguments& a) {
  return strip_side(self, a, Side::left);
}
Value strip_right(Text self, const Arguments& a) {
  return strip_side(self, a, Side::right);
}

Value split_side(Text self, const Arguments& arguments, bool from_right) {
  const auto [separator, limit] = bind<2>(arguments, {"sep", "maxsplit"});
  const int64_t most = whole_or(limit, -1);
  if (!separator || separator->is<None>()) return of_lines(split_words(self, most, from_right));
  const std::string& text = text_of(*separator);
  if (text.empty()) throw TemplateFault("the separator is empty");
  return of_lines(split_at(self, text, most, from_right));
}

Value split(Text self, const Arguments& arguments) {
  return split_side(self, arguments, false);
}
Value rsplit(Text self, const Arguments& arguments) {
  return split_side(self, arguments, true);
}

Value splitlines(Text self, const Arguments& arguments) {
  const auto [keep_ends] = bind<1>(arguments, {"keepends"});
  return of_lines(split_lines(self, flag_or(keep_ends, false)));
}

// Of one text or of any in a tuple.
template <typename Matches>
Value matches_any(const Arguments& arguments, const Matches& matches) {
  const Value& what = required(bind<1>(arguments, {"prefix"})[0], "prefix");
  const auto* tuple = what.get<SequencePtr>();
  if (!tuple || (*tuple)->kind != SequenceKind::tuple) return {matches(text_of(what))};
  const std::vector<Value>& items = (*tuple)->items;
  return {std::any_of(items.begin(), items.end(),
                      [&](const Value& item) { return matches(text_of(item)); })};
}

Value startswith(Text self, const Arguments& arguments) {
  return matches_any(arguments, [&](Text text) { return self.compare(0, text.size(), text) == 0; });
}

Value endswith(Text self, const Arguments& arguments) {
  return matches_any(arguments, [&](Text text) {
    return text.size() <= self.size() &&
           self.compare(self.size() - text.size(), text.size(), text) == 0;
  });
}

Value to_upper(Text self, const Arguments& arguments) {
  expect_no_arguments(arguments);
  return make_text(upper(self));
}

Value to_lower(Text self, const Arguments& arguments) {
  expect_no_arguments(arguments);
  return make_text(lower(self));
}

Value to_capitalized(Text self, const Arguments& arguments) {
  expect_no_arguments(arguments);
  return make_text(capitalize(self));
}

Value to_title(Text self, const Arguments& arguments) {
  expect_no_arguments(arguments);
  std::string result = lower(self);
  bool is_in_word = false;
  for (char& c : result) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c & 0x80) != 0;
    if (is_letter && !is_in_word) c = upper(std::string(1, c))[0];
    is_in_word = is_letter;
  }
  return make_text(std::move(result));
}

Value replace_text(Text self, const Arguments& arguments) {
  const auto [old_text, new_text, count] = bind<3>(arguments, {"old", "new", "count"});
  return make_text(replace(self, text_of(required(old_text, "old")),
                           text_of(required(new_text, "new")), whole_or(count, -1)));
}

Value find_text(Text self, const Arguments& arguments) {
  const auto [what] = bind<1>(arguments, {"sub"});
  const size_t at = self.find(text_of(required(what, "sub")));
  if (at == std::string::npos) return {int64_t{-1}};
  return {num_characters(std::string_view(self).substr(0, at))};
}

Value count_text(Text self, const Arguments& arguments) {
  const auto [what] = bind<1>(arguments, {"sub"});
  const std::string& text = text_of(required(what, "sub"));
  if (text.empty()) return {num_characters(self) + 1};
  int64_t count = 0;
  for (size_t at = self.find(text); at != std::string::npos;
       at = self.find(text, at + text.size())) {
    ++count;
  }
  return {count};
}

Value join_texts(Text self, const Arguments& arguments) {
  const auto [items] = bind<1>(arguments, {"iterable"});
  std::string result;
  bool is_first = true;
  const SequencePtr sequence = iterate(required(items, "iterable"));
  for (const Value& item : sequence->items) {
    if (!is_first) result += self;
    is_first = false;
    result += text_of(item);
  }
  return make_text(std::move(result));
}

Value without_prefix(Text self, const Arguments& arguments) {
  const auto [prefix] = bind<1>(arguments, {"prefix"});
  const std::string& text = text_of(required(prefix, "prefix"));
  const bool has_it = self.compare(0, text.size(), text) == 0;
  return make_text(has_it ? self.substr(text.size()) : self);
}

Value without_suffix(Text self, const Arguments& arguments) {
  const auto [suffix] = bind<1>(arguments, {"suffix"});
  const std::string& text = text_of(required(suffix, "suffix"));
  const bool has_it =
      text.size() <= self.size() && self.compare(self.size() - text.size(), text.size(), text) == 0;
  return make_text(has_it ? self.substr(0, self.size() - text.size()) : self);
}

Value is_digits(Text self, const Arguments& arguments) {
  expect_no_arguments(arguments);
  return {!self.empty() &&
          std::all_of(self.begin(), self.end(), [](char c) { return c >= '0' && c <= '9'; })};
}

constexpr std::pair<std::string_view, TextMethod> kTextMethods[] = {
    {"strip", strip_both},
    {"split", split},
    {"lstrip", strip_left},
    {"rstrip", strip_right},
    {"startswith", startswith},
    {"endswith", endswith},
    {"replace", replace_text},
    {"rsplit", rsplit},
    {"splitlines", splitlines},
    {"upper", to_upper},
    {"lower", to_lower},
    {"title", to_title},
    {"capitalize", to_capitalized},
    {"find", find_text},
    {"count", count_text},
    {"join", join_texts},
    {"removeprefix", without_prefix},
    {"removesuffix", without_suffix},
    {"isdigit", is_digits}};

}  // namespace

TextMethod find_text_method(std::string_view name) {
  for (const auto& [known, method] : kTextMethods) {
    if (known == name) return method;
  }
  return nullptr;
}

}  // namespace argosy::jinja
