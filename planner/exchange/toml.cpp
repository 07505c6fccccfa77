// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/toml.h"

#include <cctype>
#include <charconv>
#include <optional>
#include <set>
#include <vector>

#include "planner/spec/check.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

constexpr size_t kMostLevels = 64;  // of arrays and tables: reading and writing recurse

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

bool is_key_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

// Without the underscores between digits, and a leading plus; nothing if one stands elsewhere.
std::optional<std::string> plain_digits(std::string_view word) {
  std::string digits;
  for (size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '_') {
      const bool is_between =
          i > 0 && i + 1 < word.size() && is_digit(word[i - 1]) && is_digit(word[i + 1]);
      if (!is_between) return std::nullopt;
    } else if (word[i] != '+' || i > 0) {
      digits += word[i];
    }
  }
  return digits;
}

template <typename Number>
std::optional<Number> whole(const std::string& digits) {
  Number value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

// A boolean or a number.
std::optional<Json> scalar(std::string_view word) {
  if (word == "true") return Json(true);
  if (word == "false") return Json(false);
  const std::optional<std::string> digits = plain_digits(word);
  if (!digits || digits->empty() || !is_digit(digits->back())) return std::nullopt;
  const std::string unsigned_digits = digits->substr(digits->front() == '-' ? 1 : 0);
  if (unsigned_digits.empty() || !is_digit(unsigned_digits.front())) return std::nullopt;
  if (unsigned_digits.size() > 1 && unsigned_digits[0] == '0' && is_digit(unsigned_digits[1])) {
    return std::nullopt;
  }
  if (const auto integer = whole<int64_t>(*digits)) return Json(*integer);
  if (const auto number = whole<double>(*digits)) return Json(*number);
  return std::nullopt;
}

// Bytes that are not UTF-8 become question marks: only messages show them.
std::string json_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

class Reader {
 public:
  Reader(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {}

  Json read() {
    Json root = Json::object();
    std::vector<std::string> table;
    std::set<std::vector<std::string>> tables;
    for (skip_lines(); !is_end(); skip_lines()) {
      if (take('[')) {
        if (peek() == '[') fail("arrays of tables, [[...]], are not supported");
        table = dotted_key();
        expect(']');
        if (!tables.insert(table).second) fail(concat("table [", table.back(), "] appears twice"));
        enter(root, table, table.size());
      } else {
        std::vector<std::string> path = dotted_key();
        expect('=');
        path.insert(path.begin(), table.begin(), table.end());
        Json value = read_value();
        Json& object = enter(root, path, path.size() - 1);
        if (object.contains(path.back())) fail(concat("key '", path.back(), "' appears twice"));
        object[path.back()] = std::move(value);
      }
      end_line();
    }
    return root;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw ConfigError(concat(where_, ":", line_, ": ", what));
  }

  bool is_end() const { return at_ >= text_.size(); }
  char peek() const { return is_end() ? '\0' : text_[at_]; }
  char next() {
    const char c = text_[at_++];
    if (c == '\n') ++line_;
    return c;
  }
  bool take(char c) {
    if (is_end() || peek() != c) return false;
    next();
    return true;
  }
  std::string found() const {
    return is_end()
               ? "the end of the file"
               : concat("'", peek() == '\n' ? "the end of the line" : std::string(1, peek()), "'");
  }

  void skip_spaces() {
    while (peek() == ' ' || peek() == '\t') next();
  }
  void skip_comment() {
    while (peek() == '#' || peek() == '\r') {
      while (!is_end() && peek() != '\n') next();
    }
  }
  // Spaces, comments and line ends.
  void skip_lines() {
    do {
      skip_spaces();
      skip_comment();
    } while (take('\n'));
  }
  void expect(char c) {
    skip_spaces();
    if (!take(c)) fail(concat("expected '", std::string(1, c), "', found ", found()));
    skip_spaces();
  }
  void end_line() {
    skip_spaces();
    skip_comment();
    if (!is_end() && peek() != '\n') fail(concat("expected the end of the line, found ", found()));
  }

  std::vector<std::string> dotted_key() {
    std::vector<std::string> path;
    do {
      skip_spaces();
      std::string key;
      if (peek() == '"' || peek() == '\'') {
        key = read_string();
      } else {
        while (is_key_character(peek())) key += next();
        if (key.empty()) fail(concat("expected a key, found ", found()));
      }
      path.push_back(key);
      if (path.size() > kMostLevels) fail("a key of too many parts");
      skip_spaces();
    } while (take('.'));
    return path;
  }

  // The object that the first `count` names lead to; new ones are made.
  Json& enter(Json& root, const std::vector<std::string>& path, size_t count) const {
    Json* object = &root;
    for (size_t i = 0; i < count; ++i) {
      Json& inner = (*object)[path[i]];
      if (inner.is_null()) inner = Json::object();
      if (!inner.is_object()) fail(concat("'", path[i], "' is a value, not a table"));
      object = &inner;
    }
    return *object;
  }

  Json read_value() {
    if (peek() == '"' || peek() == '\'') return read_string();
    if (peek() == '[') return read_array();
    if (peek() == '{') fail("inline tables, {...}, are not supported; valid: a [table]");
    std::string word;
    while (!is_end() && std::string_view(" \t\r\n,]#").find(peek()) == std::string_view::npos) {
      word += next();
    }
    const std::optional<Json> value = scalar(word);
    if (!value) {
      fail(concat("'", word, "' is no value; valid: \"text\", a number, true, false, or [...]"));
    }
    return *value;
  }

  Json read_array() {
    Json array = Json::array();
    next();
    if (++depth_ > kMostLevels) fail("arrays within arrays of too many levels");
    for (skip_lines(); !take(']'); skip_lines()) {
      array.push_back(read_value());
      skip_lines();
      if (!take(',') && peek() != ']') fail(concat("expected ',' or ']', found ", found()));
    }
    --depth_;
    return array;
  }

  std::string read_string() {
    const char quote = next();
    std::string text;
    if (text_.substr(at_).starts_with(std::string(2, quote))) {
      fail("strings of several lines are not supported");
    }
    while (!take(quote)) {
      if (is_end() || peek() == '\n') fail("a string is not closed");
      const char c = next();
      text += c == '\\' && quote == '"' ? escaped() : c;
    }
    return text;
  }

  char escaped() {
    switch (is_end() ? '\0' : next()) {
      case 'b':
        return '\b';
      case 't':
        return '\t';
      case 'n':
        return '\n';
      case 'f':
        return '\f';
      case 'r':
        return '\r';
      case '"':
        return '"';
      case '\\':
        return '\\';
      default:
        fail("an escape that is not supported; valid: \\b \\t \\n \\f \\r \\\" \\\\");
    }
  }

  std::string_view text_;
  std::string where_;
  size_t at_ = 0, depth_ = 0;
  int64_t line_ = 1;
};

}  // namespace

std::string json_of_toml(std::string_view text, const std::string& where) {
  return json_text(Reader(text, where).read());
}

std::string json_of_word(const std::string& word) {
  return json_text(scalar(word).value_or(Json(word)));
}

}  // namespace argosy
