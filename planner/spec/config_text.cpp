// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/config_text.h"

#include <algorithm>

#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string_view without_comment(std::string_view text) {
  return trim(text.substr(0, text.find('#')));
}

// One line of a file, for messages.
struct Line {
  std::string_view text, where;
  int64_t number = 0;
  [[noreturn]] void refuse(std::string_view why) const {
    throw ConfigError(concat(where, ", line ", number, ": '", trim(text), "' ", why,
                             "; valid: option = value, or option = \"value\""));
  }
};

// `text` begins with a double quote; behind the second one a comment may follow.
std::string unquote(std::string_view text, const Line& line) {
  std::string value;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      if (!without_comment(text.substr(i + 1)).empty()) line.refuse("goes on behind the value");
      return value;
    }
    if (text[i] != '\\') {
      value += text[i];
      continue;
    }
    const char escaped = ++i < text.size() ? text[i] : '\0';
    if (escaped != '"' && escaped != '\\' && escaped != 'n') {
      line.refuse("has a \\ that is not of \\\", \\\\ or \\n");
    }
    value += escaped == 'n' ? '\n' : escaped;
  }
  line.refuse("has no closing quote");
}

ConfigOption parse_line(const Line& line) {
  const size_t equals = line.text.find('=');
  if (equals == std::string_view::npos || equals > line.text.find('#')) {
    line.refuse("is not an option");
  }
  const std::string_view key = trim(line.text.substr(0, equals));
  if (key.empty()) line.refuse("names no option");
  const std::string_view value = trim(line.text.substr(equals + 1));
  if (value.starts_with('"')) return {std::string(key), unquote(value, line)};
  return {std::string(key), std::string(without_comment(value))};
}

bool needs_quotes(std::string_view value) {
  return value.find_first_of("#\n") != std::string_view::npos || value.starts_with('"') ||
         value != trim(value);
}

}  // namespace

std::vector<ConfigOption> parse_config_text(std::string_view text, std::string_view where) {
  std::vector<ConfigOption> options;
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const Line line{text.substr(0, end), where, number};
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!without_comment(line.text).empty()) options.push_back(parse_line(line));
  }
  return options;
}

std::string config_line(std::string_view key, std::string_view value) {
  std::string line = concat(key, " = ");
  if (!needs_quotes(value)) return concat(line, value, "\n");
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') line += '\\';
    if (c == '\n') {
      line += "\\n";
    } else {
      line += c;
    }
  }
  return line + "\"\n";
}

}  // namespace argosy
