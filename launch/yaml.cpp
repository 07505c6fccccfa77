// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/yaml.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "planner/spec/json.h"

namespace argosy {
namespace {

constexpr int kIndent = 2;

// Words that YAML 1.1 takes for a truth value or for nothing, in any case.
bool is_keyword(std::string word) {
  constexpr std::array<std::string_view, 9> kKeywords = {"y",   "n",    "yes",   "no",  "on",
                                                         "off", "true", "false", "null"};
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end();
}

// Without quotes a text if it begins with a letter, a slash or dashes and letters and has nothing
// that means something. Numbers begin with digits, dots and signs; .inf and .nan are among them.
bool is_plain(const std::string& text) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr std::string_view kInside =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=";
  if (text.find_first_not_of(kInside) != std::string::npos || is_keyword(text)) return false;
  const std::string_view rest = std::string_view(text).substr(text.starts_with("--") ? 2 : 0);
  return !rest.empty() && (kLetters.find(rest[0]) != std::string_view::npos || rest[0] == '/');
}

// Lines of ASCII without tabs, the first one not indented, and one line end after the last.
bool is_block(const std::string& text) {
  const bool is_ascii = std::all_of(text.begin(), text.end(),
                                    [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); });
  return is_ascii && text.size() > 1 && text[0] != ' ' && text[0] != '\n' && text.back() == '\n' &&
         text[text.size() - 2] != '\n';
}

std::string block_of(const std::string& text, int indent) {
  std::string block = "|\n";
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin) + 1;
    if (end - begin > 1) block.append(static_cast<size_t>(indent), ' ');
    block += text.substr(begin, end - begin);
    begin = end;
  }
  return block;
}

// JSON's quotes are YAML's, its escapes too.
std::string scalar(const Json& value, int indent) {
  if (!value.is_string()) return value.dump() + "\n";
  const auto& text = value.get_ref<const std::string&>();
  if (is_plain(text)) return text + "\n";
  if (is_block(text)) return block_of(text, indent);
  return value.dump() + "\n";
}

// `indent`: of the entries. The first one follows what stands on the line already, if
// `is_continued`.
void append(const Json& value, int indent, bool is_continued, std::string* yaml) {
  const bool is_list = value.is_array();
  for (const auto& [key, entry] : value.items()) {
    if (!is_continued) yaml->append(static_cast<size_t>(indent), ' ');
    is_continued = false;
    *yaml += is_list ? "-" : scalar(key, 0);
    if (!is_list) yaml->back() = ':';
    const bool is_nested = entry.is_structured() && !entry.empty();
    if (!is_nested) {
      *yaml += " " + scalar(entry, indent + kIndent);
    } else if (is_list) {
      *yaml += " ";
      append(entry, indent + kIndent, true, yaml);
    } else {  // lists are not indented
      *yaml += "\n";
      append(entry, entry.is_array() ? indent : indent + kIndent, false, yaml);
    }
  }
}

}  // namespace

std::string yaml_of_json(std::string_view json) {
  std::string yaml;
  append(parse_json(json, "a manifest"), 0, false, &yaml);
  return yaml;
}

}  // namespace argosy
