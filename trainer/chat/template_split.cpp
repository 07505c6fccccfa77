// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Texts taken apart and put together again.
#include <algorithm>

#include "trainer/chat/template_utf8.h"

namespace argosy::jinja {

namespace {

bool is_line_break(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

// Bytes before the first white space of a text, and behind the last.
size_t first_word_size(std::string_view text) {
  size_t end = 0, size = 0;
  while (end < text.size() && !is_space(first_code_point(text.substr(end), size))) end += size;
  return end;
}

size_t last_word_size(std::string_view text) {
  size_t word_begin = 0, size = 0;
  for (size_t at = 0; at < text.size(); at += size) {
    if (is_space(first_code_point(text.substr(at), size))) word_begin = at + size;
  }
  return text.size() - word_begin;
}

}  // namespace

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
      size_t size = 0;
      first_code_point(text, size);
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
