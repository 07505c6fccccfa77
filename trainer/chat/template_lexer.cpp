// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/template_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "planner/spec/check.h"
#include "trainer/chat/template_utf8.h"

namespace argosy::jinja {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name_begin(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name_part(char c) {
  return is_name_begin(c) || is_digit(c);
}
bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

// \r\n and \r become \n; one at the very end goes.
std::string with_plain_newlines(std::string_view source) {
  std::string plain = replace(replace(source, "\r\n", "\n", -1), "\r", "\n", -1);
  if (!plain.empty() && plain.back() == '\n') plain.pop_back();
  return plain;
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& where)
      : source_(with_plain_newlines(source)), where_(where) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) read_text();
    add(TokenKind::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { fail_at(where_, line_, what); }
  bool looking_at(std::string_view text) const {
    return source_.compare(at_, text.size(), text) == 0;
  }
  char peek(size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }
  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
  void move_to(size_t place) {
    line_ +=
        static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                    source_.begin() + static_cast<std::ptrdiff_t>(place), '\n'));
    at_ = place;
  }
  void skip_spaces() {
    while (at_ < source_.size() && is_space_at(at_)) move_to(at_ + space_size_);
  }
  bool is_space_at(size_t place) {
    return is_space(first_code_point(std::string_view(source_).substr(place), space_size_));
  }

  // Up to the next {{, {% or {#, and that.
  void read_text() {
    size_t open = source_.find('{', at_);
    while (open != std::string::npos && open + 1 < source_.size()) {
      const char kind = source_[open + 1];
      if (kind == '{' || kind == '%' || kind == '#') return read_tag(open, kind);
      open = source_.find('{', open + 1);
    }
    add(TokenKind::text, source_.substr(at_));
    move_to(source_.size());
  }

  void read_tag(size_t open, char kind) {
    const std::string_view before = std::string_view(source_).substr(at_, open - at_);
    const char sign = open + 2 < source_.size() ? source_[open + 2] : '\0';
    const bool has_sign = sign == '-' || sign == '+';
    std::string_view text = before;
    if (sign == '-') {
      text = strip(before, Side::right);
    } else if (sign != '+' && kind != '{') {
      text = without_indent(before);
    }
    if (!text.empty()) add(TokenKind::text, std::string(text));
    move_to(open + 2 + (has_sign ? 1 : 0));
    if (kind == '#') return skip_comment();
    add(kind == '{' ? TokenKind::output_begin : TokenKind::tag_begin, "");
    read_expression(kind == '{' ? "}}" : "%}", kind == '{');
  }

  // lstrip_blocks: blanks between the begin of the line and the tag.
  std::string_view without_indent(std::string_view text) const {
    const size_t line_end = text.rfind('\n');
    const size_t begin = line_end == std::string_view::npos ? 0 : line_end + 1;
    if (begin == 0 && !is_line_begin_) return text;
    return strip(text.substr(begin), Side::both).empty() ? text.substr(0, begin) : text;
  }

  // Behind a tag's end: what `-` and trim_blocks take away.
  void finish_tag(size_t end_size, bool has_minus, bool trims_newline) {
    const size_t begin = at_;
    move_to(at_ + end_size);
    if (has_minus) {
      skip_spaces();
    } else if (trims_newline && peek() == '\n') {
      move_to(at_ + 1);
    }
    is_line_begin_ = at_ > begin && source_[at_ - 1] == '\n';
  }

  void skip_comment() {
    const size_t close = source_.find("#}", at_);
    if (close == std::string::npos) fail("the comment that begins here has no end #}");
    const char sign = close > at_ ? source_[close - 1] : '\0';
    move_to(close);
    finish_tag(2, sign == '-', sign != '+');
  }

  void read_expression(std::string_view close, bool is_output) {
    const int line = line_;
    std::string open_brackets;
    while (true) {
      skip_spaces();
      if (at_ >= source_.size()) {
        fail_at(where_, line, concat("what begins here has no end ", close));
      }
      const bool has_sign = peek() == '-' || (peek() == '+' && !is_output);
      const size_t sign_size = has_sign ? 1 : 0;
      if (open_brackets.empty() && source_.compare(at_ + sign_size, 2, close) == 0) {
        add(is_output ? TokenKind::output_end : TokenKind::tag_end, "");
        const char sign = has_sign ? peek() : '\0';
        return finish_tag(sign_size + 2, sign == '-', sign != '+' && !is_output);
      }
      read_token(open_brackets);
    }
  }

  void read_token(std::string& open_brackets) {
    const char c = peek();
    if (is_name_begin(c)) {
      size_t end = at_;
      while (end < source_.size() && is_name_part(source_[end])) ++end;
      const std::string name = source_.substr(at_, end - at_);
      if (name == "raw" && tokens_.back().kind == TokenKind::tag_begin) {
        fail("the tag `raw` is not supported yet");  // what follows is in no language that is known
      }
      add(TokenKind::name, name);
      return move_to(end);
    }
    if (is_digit(c)) return read_number();
    if (c == '"' || c == '\'') return read_string(c);
    read_symbol(open_brackets);
  }

  void read_number() {
    const bool is_index = !tokens_.empty() && tokens_.back().text == ".";  // a.0.b
    size_t end = at_;
    const auto skip_digits = [&] {
      while (end < source_.size() && (is_digit(source_[end]) || source_[end] == '_')) ++end;
    };
    const auto digit_at = [&](size_t place) {
      return place < source_.size() && is_digit(source_[place]);
    };
    skip_digits();
    bool is_float = false;
    if (!is_index && end < source_.size() && source_[end] == '.' && digit_at(end + 1)) {
      is_float = true, ++end;
      skip_digits();
    }
    if (!is_index && end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      const size_t sign =
          end + 1 < source_.size() && (source_[end + 1] == '+' || source_[end + 1] == '-');
      if (digit_at(end + 1 + sign)) {
        is_float = true, end += 1 + sign;
        skip_digits();
      }
    }
    if (end < source_.size() && is_name_part(source_[end])) {
      fail(concat("`", source_.substr(at_, end + 1 - at_), "` is no number that is supported"));
    }
    std::string digits = source_.substr(at_, end - at_);
    digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
    add(is_float ? TokenKind::floating : TokenKind::integer, digits);
    move_to(end);
  }

  void read_string(char quote) {
    const int line = line_;
    std::string value;
    size_t i = at_ + 1;
    while (i < source_.size() && source_[i] != quote) {
      if (source_[i] == '\\' && i + 1 < source_.size()) {
        append_escape(value, ++i);
      } else {
        value.push_back(source_[i++]);
      }
    }
    if (i >= source_.size()) fail_at(where_, line, "the string that begins here has no end");
    add(TokenKind::string, value);
    move_to(i + 1);
  }

  // `i` is behind the backslash, and then behind the escape.
  void append_escape(std::string& value, size_t& i) {
    static constexpr std::string_view kLetters = "abfnrtv\\'\"", kMeant = "\a\b\f\n\r\t\v\\'\"";
    const char c = source_[i++];
    const size_t letter = kLetters.find(c);
    if (letter != std::string_view::npos) return value.push_back(kMeant[letter]);
    if (c == '\n') return;
    if (c == 'x') return append_code(value, i, 2, 16);
    if (c == 'u') return append_code(value, i, 4, 16);
    if (c == 'U') return append_code(value, i, 8, 16);
    if (is_octal(c)) {
      --i;
      size_t size = 1;
      while (size < 3 && i + size < source_.size() && is_octal(source_[i + size])) ++size;
      return append_code(value, i, size, 8);
    }
    if (c == 'N') fail("the escape \\N is not supported");
    value.push_back('\\');  // unknown escapes stay, as in Python
    value.push_back(c);
  }

  void append_code(std::string& value, size_t& i, size_t size, int base) {
    uint32_t code = 0;
    const char* begin = source_.data() + i;
    const bool fits = i + size <= source_.size();
    const auto [end, error] = std::from_chars(begin, begin + (fits ? size : 0), code, base);
    const bool is_surrogate = code >= 0xD800 && code < 0xE000;
    if (!fits || error != std::errc() || end != begin + size || code > 0x10FFFF || is_surrogate) {
      fail("an escape in this string is no character");
    }
    append_utf8(value, code);
    i += size;
  }

  void read_symbol(std::string& open_brackets) {
    static constexpr std::array<std::string_view, 26> kSymbols = {
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "(",
        ")",  "[",  "]",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    const auto symbol = std::find_if(kSymbols.begin(), kSymbols.end(),
                                     [&](std::string_view text) { return looking_at(text); });
    if (symbol == kSymbols.end()) {
      const std::string_view rest = std::string_view(source_).substr(at_);
      fail(concat("unexpected character `", characters(rest.substr(0, 4))[0], "`"));
    }
    if (*symbol == "(" || *symbol == "[" || *symbol == "{") {
      open_brackets.push_back(*symbol == "(" ? ')' : *symbol == "[" ? ']' : '}');
    } else if (*symbol == ")" || *symbol == "]" || *symbol == "}") {
      if (open_brackets.empty() || open_brackets.back() != (*symbol)[0]) {
        fail(
            concat("unexpected `", *symbol, "`",
                   open_brackets.empty() ? "" : concat(", expected `", open_brackets.back(), "`")));
      }
      open_brackets.pop_back();
    }
    add(TokenKind::symbol, std::string(*symbol));
    move_to(at_ + symbol->size());
  }

  std::string source_;
  const std::string& where_;
  std::vector<Token> tokens_;
  size_t at_ = 0, space_size_ = 1;
  int line_ = 1;
  bool is_line_begin_ = true;  // what was read last ended a line
};

}  // namespace

void fail_at(const std::string& where, int line, const std::string& what) {
  throw ConfigError(concat(where, " line ", line, ": ", what));
}

std::vector<Token> tokenize(std::string_view source, const std::string& where) {
  return Lexer(source, where).run();
}

}  // namespace argosy::jinja
