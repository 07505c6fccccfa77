// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/template_write.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "planner/spec/check.h"
#include "trainer/chat/template_utf8.h"

namespace argosy::jinja {

namespace {

// Python's repr of a float: the shortest digits that read back, exponents below -4 and from 16 on.
std::string float_text(double number, const char* infinity, const char* not_a_number) {
  if (std::isnan(number)) return not_a_number;
  if (std::isinf(number)) return number < 0 ? concat("-", infinity) : infinity;
  char buffer[40];
  const auto scientific =
      std::to_chars(buffer, buffer + sizeof(buffer), number, std::chars_format::scientific);
  std::string text(buffer, scientific.ptr);
  const size_t e = text.find('e');
  const int exponent = std::stoi(text.substr(e + 1));
  if (exponent < -4 || exponent >= 16) return text;  // both write two digits at least: 1e-05
  const auto fixed =
      std::to_chars(buffer, buffer + sizeof(buffer), number, std::chars_format::fixed);
  text.assign(buffer, fixed.ptr);
  return text.find('.') == std::string::npos ? text + ".0" : text;
}

// Whether repr() writes the number of a character instead of it: controls, blanks other than a
// space, format and private characters.
bool is_escaped(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD || c == 0x1680 || c == 0x180E ||
         (c >= 0x2000 && c <= 0x200F) || (c >= 0x2028 && c <= 0x202F) ||
         (c >= 0x205F && c <= 0x206F) || c == 0x3000 || (c >= 0xE000 && c <= 0xF8FF) ||
         c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) || c >= 0xE0000;
}

void append_hex(std::string& text, const char* format, char32_t code) {
  char buffer[16];
  std::snprintf(buffer, sizeof(buffer), format, static_cast<unsigned>(code));
  text += buffer;
}

void append_quoted(std::string& text, const std::string& value) {
  const bool has_single = value.find('\'') != std::string::npos;
  const char quote = has_single && value.find('"') == std::string::npos ? '"' : '\'';
  text += quote;
  for (const std::string_view character : characters(value)) {
    size_t size = 0;
    const char32_t code = first_code_point(character, size);
    if (code == '\n') {
      text += "\\n";
    } else if (code == '\r') {
      text += "\\r";
    } else if (code == '\t') {
      text += "\\t";
    } else if (code == static_cast<char32_t>(quote) || code == '\\') {
      text += '\\';
      text += character;
    } else if (is_escaped(code)) {
      append_hex(text, code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
    } else {
      text += character;
    }
  }
  text += quote;
}

void append_repr(std::string& text, const Value& value) {
  if (const std::string* inner = text_in(value)) return append_quoted(text, *inner);
  if (value.is<Undefined>()) {
    text += "Undefined";
    return;
  }
  append_str(text, value);
}

void append_items(std::string& text, const Sequence& sequence, const char* open,
                  const char* close) {
  text += open;
  bool is_first = true;
  for (const Value& item : sequence.items) {
    if (!is_first) text += ", ";
    is_first = false;
    append_repr(text, item);
  }
  text += close;
}

void append_sequence(std::string& text, const Sequence& sequence, const char* type) {
  switch (sequence.kind) {
    case SequenceKind::list:
      return append_items(text, sequence, "[", "]");
    case SequenceKind::tuple:
      return append_items(text, sequence, "(", sequence.items.size() == 1 ? ",)" : ")");
    case SequenceKind::dict_keys:
    case SequenceKind::dict_values:
    case SequenceKind::dict_items:
      return append_items(text, sequence, concat(type, "([").c_str(), "])");
    case SequenceKind::range:
    case SequenceKind::generator:
      break;
  }
  throw TemplateFault(concat("a ", type, " has no text of its own; make a list of it"));
}

void append_dict(std::string& text, const Dict& dict) {
  text += '{';
  bool is_first = true;
  for (const auto& [key, value] : dict.entries) {
    if (!is_first) text += ", ";
    is_first = false;
    append_repr(text, key);
    text += ": ";
    append_repr(text, value);
  }
  text += '}';
}

void append_json_text(std::string& text, const std::string& value, bool escapes_unicode) {
  text += '"';
  for (const std::string_view character : characters(value)) {
    static constexpr std::string_view kSpecial = "\"\\\n\r\t\f\b", kLetters = "\"\\nrtfb";
    size_t size = 0;
    const char32_t code = first_code_point(character, size);
    const size_t special = code < 0x80 ? kSpecial.find(character[0]) : std::string_view::npos;
    if (special != std::string_view::npos) {
      text += '\\';
      text += kLetters[special];
    } else if (code >= 0x10000 && escapes_unicode) {
      append_hex(text, "\\u%04x", 0xD800 + ((code - 0x10000) >> 10));
      append_hex(text, "\\u%04x", 0xDC00 + ((code - 0x10000) & 0x3FF));
    } else if (code < 0x20 || (code >= 0x7F && escapes_unicode && code != 0x7F)) {
      append_hex(text, "\\u%04x", code);
    } else {
      text += character;
    }
  }
  text += '"';
}

void append_json_key(std::string& text, const Value& key, const JsonStyle& style) {
  if (const std::string* name = text_in(key)) {
    return append_json_text(text, *name, style.escapes_unicode);
  }
  if (key.is<SequencePtr>()) throw TemplateFault("a key of a dict in JSON must be a str");
  text += '"';
  append_json(text, key, style);
  text += '"';
}

// Brackets, and between them what `append_item` writes for each of `count` items.
template <typename AppendItem>
void append_json_items(std::string& text, const char* brackets, size_t count,
                       const JsonStyle& style, int level, const AppendItem& append_item) {
  const auto break_line = [&](int levels) {
    if (!style.indent) return;
    text += '\n';
    for (int i = 0; i < levels; ++i) text += *style.indent;
  };
  text += brackets[0];
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) text += style.item_separator;
    break_line(level + 1);
    append_item(i);
  }
  if (count > 0) break_line(level);
  text += brackets[1];
}

void append_json_dict(std::string& text, const Dict& dict, const JsonStyle& style, int level) {
  std::vector<const std::pair<Value, Value>*> entries;
  entries.reserve(dict.entries.size());
  for (const auto& entry : dict.entries) entries.push_back(&entry);
  if (style.sorts_keys) {
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto* a, const auto* b) { return less(a->first, b->first); });
  }
  append_json_items(text, "{}", entries.size(), style, level, [&](size_t i) {
    append_json_key(text, entries[i]->first, style);
    text += style.key_separator;
    append_json(text, entries[i]->second, style, level + 1);
  });
}

}  // namespace

void append_str(std::string& text, const Value& value) {
  if (const std::string* inner = text_in(value)) {
    text += *inner;
  } else if (value.is<None>()) {
    text += "None";
  } else if (const auto* flag = value.get<bool>()) {
    text += *flag ? "True" : "False";
  } else if (const auto* integer = value.get<int64_t>()) {
    text += std::to_string(*integer);
  } else if (const auto* number = value.get<double>()) {
    text += float_text(*number, "inf", "nan");
  } else if (const auto* sequence = value.get<SequencePtr>()) {
    append_sequence(text, **sequence, type_name(value));
  } else if (const auto* dict = value.get<DictPtr>()) {
    append_dict(text, **dict);
  } else if (!value.is<Undefined>()) {
    throw TemplateFault(concat("a ", type_name(value), " has no text of its own"));
  }
}

std::string str(const Value& value) {
  std::string text;
  append_str(text, value);
  return text;
}

void append_json(std::string& text, const Value& value, const JsonStyle& style, int level) {
  const auto* sequence = value.get<SequencePtr>();
  if (const std::string* inner = text_in(value)) {
    append_json_text(text, *inner, style.escapes_unicode);
  } else if (value.is<None>()) {
    text += "null";
  } else if (const auto* flag = value.get<bool>()) {
    text += *flag ? "true" : "false";
  } else if (const auto* number = value.get<double>()) {
    text += float_text(*number, "Infinity", "NaN");
  } else if (value.is<int64_t>()) {
    append_str(text, value);
  } else if (const auto* dict = value.get<DictPtr>()) {
    append_json_dict(text, **dict, style, level);
  } else if (sequence && (*sequence)->kind <= SequenceKind::tuple) {
    append_json_items(text, "[]", (*sequence)->items.size(), style, level, [&](size_t i) {
      append_json(text, (*sequence)->items[i], style, level + 1);
    });
  } else if (const auto* missing = value.get<Undefined>()) {
    throw TemplateFault(concat(missing->why->text, " and cannot be written as JSON"));
  } else {
    throw TemplateFault(concat("a ", type_name(value), " cannot be written as JSON"));
  }
}

}  // namespace argosy::jinja
