// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/template_literals.h"

#include <charconv>
#include <cstdint>

#include "trainer/chat/template_utf8.h"
#include "trainer/chat/template_value.h"
#include "trainer/tokenizer/utf8.h"

namespace argosy::jinja {

namespace {

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

char at(std::string_view text, size_t place) {
  return place < text.size() ? text[place] : '\0';
}

size_t skip_digits(std::string_view text, size_t place) {
  while (is_digit(at(text, place)) || at(text, place) == '_') ++place;
  return place;
}

// The character of `size` digits, taken from `rest`.
void append_code(std::string& value, std::string_view& rest, size_t size, int base) {
  uint32_t code = 0;
  const char* last = rest.data() + std::min(size, rest.size());
  const auto [end, error] = std::from_chars(rest.data(), last, code, base);
  const bool is_surrogate = code >= 0xD800 && code < 0xE000;
  if (rest.size() < size || error != std::errc() || end != last || code > 0x10FFFF ||
      is_surrogate) {
    throw TemplateFault("an escape in this string is no character");
  }
  value += encode_utf8(code);
  rest.remove_prefix(size);
}

// `rest` begins behind the backslash, and then behind the escape.
void append_escape(std::string& value, std::string_view& rest) {
  static constexpr std::string_view kLetters = "abfnrtv\\'\"", kMeant = "\a\b\f\n\r\t\v\\'\"";
  const char c = at(rest, 0);
  if (is_octal(c)) {
    size_t size = 1;
    while (size < 3 && is_octal(at(rest, size))) ++size;
    return append_code(value, rest, size, 8);
  }
  rest.remove_prefix(rest.empty() ? 0 : 1);
  const size_t letter = kLetters.find(c);
  if (letter != std::string_view::npos) return value.push_back(kMeant[letter]);
  switch (c) {
    case '\n':
      return;  // a string that goes on in the next line
    case 'x':
      return append_code(value, rest, 2, 16);
    case 'u':
      return append_code(value, rest, 4, 16);
    case 'U':
      return append_code(value, rest, 8, 16);
    case 'N':
      throw TemplateFault("the escape \\N is not supported");
    default:
      value.push_back('\\'), value.push_back(c);
  }
}

}  // namespace

NumberText scan_number(std::string_view text, bool is_index) {
  size_t end = skip_digits(text, 0);
  if (is_index) return {end, false};
  bool is_float = false;
  if (at(text, end) == '.' && is_digit(at(text, end + 1))) {
    is_float = true;
    end = skip_digits(text, end + 1);
  }
  if (at(text, end) == 'e' || at(text, end) == 'E') {
    const bool has_sign = at(text, end + 1) == '+' || at(text, end + 1) == '-';
    const size_t exponent = end + (has_sign ? 2 : 1);
    if (is_digit(at(text, exponent))) {
      is_float = true;
      end = skip_digits(text, exponent);
    }
  }
  return {end, is_float};
}

std::string without_escapes(std::string_view text) {
  std::string value;
  while (!text.empty()) {
    const char c = text[0];
    text.remove_prefix(1);
    if (c == '\\') {
      append_escape(value, text);
    } else {
      value.push_back(c);
    }
  }
  return value;
}

}  // namespace argosy::jinja
