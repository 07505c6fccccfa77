// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The table of all filters, and those that make texts.
#include "trainer/chat/template_filters.h"

#include <algorithm>
#include <array>

#include "planner/spec/check.h"
#include "trainer/chat/template_arguments.h"
#include "trainer/chat/template_utf8.h"

namespace argosy::jinja {

namespace {

// What becomes of a text keeps whether it was markup.
Value like(const Value& original, std::string text) {
  const auto* data = original.get<TextPtr>();
  return data && (*data)->is_markup ? make_markup(std::move(text)) : make_text(std::move(text));
}

Value trim(const Value& input, const Arguments& arguments) {
  const auto [what] = bind<1>(arguments, {"chars"});
  const std::string text = str(input);
  if (!what || what->is<None>()) return like(input, std::string(strip(text, Side::both)));
  return like(input, std::string(strip(text, Side::both, text_of(*what))));
}

template <std::string (*function)(std::string_view)>
Value changed_text(const Value& input, const Arguments& arguments) {
  expect_no_arguments(arguments);
  return like(input, function(str(input)));
}

// Words begin behind blanks, hyphens and opening brackets.
std::string title(std::string_view text) {
  static constexpr std::string_view kBefore = "-({[<";
  std::string result;
  bool begins_word = true;
  for (const std::string_view character : characters(text)) {
    result += begins_word ? upper(character) : lower(character);
    size_t size = 0;
    begins_word = is_space(first_code_point(character, size)) ||
                  kBefore.find(character[0]) != std::string_view::npos;
  }
  return result;
}

Value replace_text(const Value& input, const Arguments& arguments) {
  const auto [old_text, new_text, count] = bind<3>(arguments, {"old", "new", "count"});
  const bool has_count = count && !count->is<None>();
  return like(input, replace(str(input), str(required(old_text, "old")),
                             str(required(new_text, "new")), has_count ? whole_or(count, -1) : -1));
}

Value to_text(const Value& input, const Arguments& arguments) {
  expect_no_arguments(arguments);
  return input.is<TextPtr>() ? input : make_text(str(input));
}

Value safe(const Value& input, const Arguments& arguments) {
  expect_no_arguments(arguments);
  return make_markup(str(input));
}

Value escape(const Value& input, const Arguments& arguments) {
  expect_no_arguments(arguments);
  const auto* text = input.get<TextPtr>();
  return text && (*text)->is_markup ? input : make_markup(escape_markup(str(input)));
}

Value indent(const Value& input, const Arguments& arguments) {
  const auto [width, first, blank] = bind<3>(arguments, {"width", "first", "blank"});
  const std::string* given = width ? text_in(*width) : nullptr;
  const int64_t spaces = given ? 0 : std::max<int64_t>(whole_or(width, 4), 0);
  const std::string indention = given ? *given : std::string(static_cast<size_t>(spaces), ' ');
  const bool indents_blank = flag_or(blank, false);
  std::string result = flag_or(first, false) ? indention : "";
  bool is_first = true;
  for (const std::string& line : split_lines(str(input) + "\n", false)) {
    if (!is_first) {
      result += '\n';
      if (indents_blank || !line.empty()) result += indention;
    }
    is_first = false;
    result += line;
  }
  return like(input, std::move(result));
}

Value join(const Value& input, const Arguments& arguments) {
  const auto [separator, attribute] = bind<2>(arguments, {"d", "attribute"});
  const std::string between = separator ? str(*separator) : "";
  const bool has_attribute = attribute && !attribute->is<None>();
  std::string result;
  bool is_first = true;
  const SequencePtr items = iterate(input);
  for (const Value& item : items->items) {
    if (!is_first) result += between;
    is_first = false;
    append_str(result, has_attribute ? attribute_at(item, *attribute) : item);
  }
  return make_text(std::move(result));
}

// As transformers has it: json.dumps() with its own parameters, and characters as they are.
Value to_json(const Value& input, const Arguments& arguments) {
  const auto [ascii, indent_value, separators, sort_keys] =
      bind<4>(arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  std::string indention;
  if (indent_value && !indent_value->is<None>()) {
    const std::string* given = text_in(*indent_value);
    const int64_t spaces = given ? 0 : std::max<int64_t>(whole_or(indent_value, 0), 0);
    indention = given ? *given : std::string(static_cast<size_t>(spaces), ' ');
    style.indent = &indention;
    style.item_separator = ",";
  }
  if (separators && !separators->is<None>()) {
    const SequencePtr pair = iterate(*separators);
    if (pair->items.size() != 2) throw TemplateFault("`separators` must be two");
    style.item_separator = text_of(pair->items[0]);
    style.key_separator = text_of(pair->items[1]);
  }
  style.sorts_keys = flag_or(sort_keys, false);
  style.escapes_unicode = flag_or(ascii, false);
  std::string text;
  append_json(text, input, style);
  return make_text(std::move(text));
}

constexpr NamedFilter kTextFilters[] = {{"trim", trim},
                                        {"tojson", to_json},
                                        {"upper", changed_text<upper>},
                                        {"lower", changed_text<lower>},
                                        {"capitalize", changed_text<capitalize>},
                                        {"title", changed_text<title>},
                                        {"replace", replace_text},
                                        {"string", to_text},
                                        {"join", join},
                                        {"indent", indent},
                                        {"safe", safe},
                                        {"escape", escape},
                                        {"e", escape}};

template <typename Visit>
void visit_filters(const Visit& visit) {
  for (const auto filters :
       {text_filters(), sequence_filters(), item_filters(), number_filters()}) {
    for (const NamedFilter& filter : filters) visit(filter);
  }
}

}  // namespace

std::span<const NamedFilter> text_filters() {
  return kTextFilters;
}

FilterFunction find_filter(std::string_view name) {
  FilterFunction found = nullptr;
  visit_filters([&](const NamedFilter& filter) {
    if (filter.first == name) found = filter.second;
  });
  return found;
}

std::string filter_names() {
  std::string names;
  visit_filters([&](const NamedFilter& filter) { append_listed(names, filter.first); });
  return names;
}

}  // namespace argosy::jinja
