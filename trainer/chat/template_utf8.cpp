// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/template_utf8.h"

#include <algorithm>

namespace argosy::jinja {

namespace {

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

// Bytes of the character that begins with `byte`, by what UTF-8 says of it; 1 for what is no begin.
size_t announced_size(char byte) {
  const auto first = static_cast<unsigned char>(byte);
  if (first >= 0xF0 && first < 0xF8) return 4;
  if (first >= 0xE0) return first < 0xF0 ? 3 : 1;
  return first >= 0xC0 ? 2 : 1;
}

size_t character_size(std::string_view text) {
  const size_t size = announced_size(text[0]);
  if (size > text.size()) return 1;
  for (size_t i = 1; i < size; ++i) {
    if (!is_continuation(text[i])) return 1;
  }
  return size;
}

// The first byte of the last character.
size_t last_character(std::string_view text) {
  size_t begin = text.size() - 1;
  while (begin > 0 && text.size() - begin < 4 && is_continuation(text[begin])) --begin;
  return begin + character_size(text.substr(begin)) == text.size() ? begin : text.size() - 1;
}

template <typename IsStripped>
std::string_view strip_if(std::string_view text, Side side, const IsStripped& is_stripped) {
  while (side != Side::right && !text.empty()) {
    const size_t size = character_size(text);
    if (!is_stripped(text.substr(0, size))) break;
    text.remove_prefix(size);
  }
  while (side != Side::left && !text.empty()) {
    const size_t begin = last_character(text);
    if (!is_stripped(text.substr(begin))) break;
    text.remove_suffix(text.size() - begin);
  }
  return text;
}

bool is_space_text(std::string_view character) {
  size_t size = 0;
  return is_space(first_code_point(character, size));
}

char lower_of(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
char upper_of(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

}  // namespace

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> all;
  all.reserve(text.size());
  while (!text.empty()) {
    const size_t size = character_size(text);
    all.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return all;
}

int64_t num_characters(std::string_view text) {
  int64_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(character_size(text));
  return count;
}

char32_t first_code_point(std::string_view text, size_t& size_bytes) {
  size_bytes = character_size(text);
  const auto first = static_cast<unsigned char>(text[0]);
  if (size_bytes == 1) return first;
  char32_t code = first & (0x7Fu >> size_bytes);
  for (size_t i = 1; i < size_bytes; ++i) {
    code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  }
  return code;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

std::string_view strip(std::string_view text, Side side) {
  return strip_if(text, side, is_space_text);
}

std::string_view strip(std::string_view text, Side side, std::string_view what) {
  const std::vector<std::string_view> set = characters(what);
  return strip_if(text, side, [&](std::string_view character) {
    return std::find(set.begin(), set.end(), character) != set.end();
  });
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower_of);
  return result;
}

std::string upper(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), upper_of);
  return result;
}

std::string capitalize(std::string_view text) {
  std::string result = lower(text);
  if (!result.empty()) result[0] = upper_of(result[0]);
  return result;
}

}  // namespace argosy::jinja
