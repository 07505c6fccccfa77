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

size_t first_word_size(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && !is_space_text(text.substr(end))) {
    end += character_size(text.substr(end));
  }
  return end;
}

size_t last_word_size(std::string_view text) {
  size_t begin = text.size();
  while (begin > 0) {
    const size_t at = last_character(text.substr(0, begin));
    if (is_space_text(text.substr(at, begin - at))) break;
    begin = at;
  }
  return text.size() - begin;
}

bool is_line_break(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

char lower_of(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
char upper_of(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

}  // namespace

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

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

void append_utf8(std::string& text, char32_t code) {
  const auto append = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  const auto append_rest = [&](int shift) { append(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) return append(code);
  if (code < 0x800) {
    append(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    append(0xE0 | code >> 12), append_rest(6);
  } else {
    append(0xF0 | code >> 18), append_rest(12), append_rest(6);
  }
  append_rest(0);
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

std::vector<std::string> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string> lines;
  size_t begin = 0, i = 0;
  while (i < text.size()) {
    size_t size = 0;
    if (!is_line_break(first_code_point(text.substr(i), size))) {
      i += size;
      continue;
    }
    const size_t end = i + (text.substr(i, 2) == "\r\n" ? 2 : size);
    lines.emplace_back(text.substr(begin, (keep_ends ? end : i) - begin));
    begin = i = end;
  }
  if (begin < text.size()) lines.emplace_back(text.substr(begin));
  return lines;
}

std::vector<std::string> split_words(std::string_view text, int64_t limit, bool from_right) {
  std::vector<std::string> words;
  std::string_view rest = strip(text, from_right ? Side::right : Side::left);
  while (!rest.empty()) {
    if (limit >= 0 && static_cast<int64_t>(words.size()) == limit) {
      words.emplace_back(rest);  // with the white space at its far end, as in Python
      break;
    }
    const size_t size = from_right ? last_word_size(rest) : first_word_size(rest);
    words.emplace_back(rest.substr(from_right ? rest.size() - size : 0, size));
    rest = from_right ? strip(rest.substr(0, rest.size() - size), Side::right)
                      : strip(rest.substr(size), Side::left);
  }
  if (from_right) std::reverse(words.begin(), words.end());
  return words;
}

std::vector<std::string> split_at(std::string_view text, std::string_view separator, int64_t limit,
                                  bool from_right) {
  std::vector<std::string> parts;
  while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
    const size_t at = from_right ? text.rfind(separator) : text.find(separator);
    if (at == std::string_view::npos) break;
    const std::string_view before = text.substr(0, at), after = text.substr(at + separator.size());
    parts.emplace_back(from_right ? after : before);
    text = from_right ? before : after;
  }
  parts.emplace_back(text);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::string replace(std::string_view text, std::string_view what, std::string_view with,
                    int64_t limit) {
  std::string result;
  if (what.empty()) {
    for (int64_t done = 0;; ++done) {
      if (limit < 0 || done < limit) result += with;
      if (text.empty()) return result;
      const size_t size = character_size(text);
      result += text.substr(0, size);
      text.remove_prefix(size);
    }
  }
  for (int64_t done = 0; limit < 0 || done < limit; ++done) {
    const size_t at = text.find(what);
    if (at == std::string_view::npos) break;
    result += text.substr(0, at);
    result += with;
    text.remove_prefix(at + what.size());
  }
  return result += text;
}

std::string escape_markup(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '\'':
        result += "&#39;";
        break;
      case '"':
        result += "&#34;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

}  // namespace argosy::jinja
