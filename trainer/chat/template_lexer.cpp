// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "trainer/chat/template_lexer.h"

#include <algorithm>
#include <array>

#include "planner/spec/check.h"
#include "trainer/chat/template_literals.h"
#include "trainer/chat/template_utf8.h"
#include "trainer/chat/template_value.h"

namespace argosy::jinja {

namespace {

bool is_name_begin(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name_part(char c) {
  return is_name_begin(c) || is_digit(c);
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
  std::string_view rest() const { return std::string_view(source_).substr(at_); }
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
    const NumberText number = scan_number(rest(), is_index);
    if (is_name_part(peek(number.size))) {
      fail(concat("`", rest().substr(0, number.size + 1), "` is no number that is supported"));
    }
    std::string digits(rest().substr(0, number.size));
    digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
    add(number.is_float ? TokenKind::floating : TokenKind::integer, digits);
    move_to(at_ + number.size);
  }

  void read_string(char quote) {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail("the string that begins here has no end");
    try {
      add(TokenKind::string, without_escapes(rest().substr(1, end - at_ - 1)));
    } catch (const TemplateFault& fault) {
      fail(fault.what());
    }
    move_to(end + 1);
  }

  void read_symbol(std::string& open_brackets) {
    static constexpr std::array<std::string_view, 26> kSymbols = {
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "(",
        ")",  "[",  "]",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    const auto symbol = std::find_if(kSymbols.begin(), kSymbols.end(),
                                     [&](std::string_view text) { return looking_at(text); });
    if (symbol == kSymbols.end()) {
      fail(concat("unexpected character `", characters(rest().substr(0, 4))[0], "`"));
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
