// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/shell_tokens.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "planner/spec/check.h"

namespace argosy {

namespace {

// Longer ones first.
constexpr const char* kOperators[] = {"<<<", "<<-", "&>>", "<<", "&&", "||", ";;", "&>", ">>", ">&",
                                      "<&",  ">|",  "|&",  ";",  "&",  "|",  "(",  ")",  "<",  ">"};

bool is_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

class Lexer {
 public:
  Lexer(std::string_view text, std::string where, bool is_script)
      : text_(text), where_(std::move(where)), is_script_(is_script) {}

  std::vector<ShellToken> tokens() {
    for (skip_blanks(); at_ < text_.size(); skip_blanks()) {
      const std::string_view behind = text_.substr(counted_, at_ - counted_);
      line_ += std::count(behind.begin(), behind.end(), '\n');
      counted_ = at_;
      step();
    }
    return std::move(tokens_);
  }

 private:
  void step() {
    if (text_[at_] == '\n') {
      ++at_;
      add(ShellToken::Kind::newline, "");
      read_here_documents();
    } else if (is_script_ && text_.substr(at_).starts_with("((")) {
      const size_t end = std::min(text_.find("))", at_), text_.size() - 2) + 2;
      add(ShellToken::Kind::word, std::string(text_.substr(at_, end - at_)));
      at_ = end;
    } else if (const size_t length = operator_length(); length > 0) {
      add(ShellToken::Kind::op, std::string(text_.substr(at_, length)));
      at_ += length;
      if (tokens_.back().text.starts_with("<<") && tokens_.back().text != "<<<") {
        here_.push_back(tokens_.size() - 1);
      }
    } else {
      step_word();
    }
  }

  void step_word() {
    ShellToken token;
    token.line = line_;
    token.text = read_word();
    const char next = at_ < text_.size() ? text_[at_] : '\n';
    if (is_script_ && next == '(' && assignment_prefix(token.text) == token.text.size()) {
      token.kind = ShellToken::Kind::array;
      token.items = read_array();
    }
    const bool is_of_redirection =
        is_script_ && (next == '<' || next == '>') && is_digits(token.text);
    if (!is_of_redirection) tokens_.push_back(std::move(token));
  }

  void add(ShellToken::Kind kind, std::string text) {
    ShellToken token;
    token.kind = kind;
    token.text = std::move(text);
    token.line = line_;
    tokens_.push_back(std::move(token));
  }

  // Blanks, comments, ends of lines that go on; of a mere list all ends of lines.
  void skip_blanks(bool skips_lines = false) {
    while (at_ < text_.size()) {
      const std::string_view rest = text_.substr(at_);
      if (rest.starts_with("\\\n")) {
        at_ += 2;
      } else if (rest.starts_with("\\\r\n")) {
        at_ += 3;
      } else if (rest[0] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (is_blank(rest[0]) || (rest[0] == '\n' && (skips_lines || !is_script_))) {
        ++at_;
      } else {
        return;
      }
    }
  }

  size_t operator_length() const {
    if (!is_script_) return 0;
    for (const std::string_view op : kOperators) {
      if (text_.substr(at_).starts_with(op)) return op.size();
    }
    return 0;
  }

  std::string read_word() {
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != '\n' && !is_blank(text_[at_]) &&
           operator_length() == 0) {
      const size_t end = end_of_part(text_, at_);
      if (end == std::string_view::npos) {
        const bool is_quote = text_[at_] == '\'' || text_[at_] == '"';
        throw ConfigError(concat(where_, is_quote ? "a quote is not closed; valid: '...'"
                                                  : "a bracket is not closed; valid: ${...}"));
      }
      at_ = end;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::vector<std::string> read_array() {
    std::vector<std::string> items;
    ++at_;
    while (true) {
      skip_blanks(true);
      if (at_ >= text_.size()) {
        throw ConfigError(concat(where_, "an array is not closed; valid: NAME=(...)"));
      }
      if (text_[at_] == ')') break;
      std::string item = read_word();
      if (item.empty()) item = text_[at_++];  // an operator where none can be
      items.push_back(std::move(item));
    }
    ++at_;
    return items;
  }

  // Their texts begin on the line behind their operators.
  void read_here_documents() {
    for (const size_t index : std::exchange(here_, {})) {
      if (index + 1 >= tokens_.size()) continue;
      std::string end = tokens_[index + 1].text;
      std::erase_if(end, [](char c) { return c == '\'' || c == '"' || c == '\\'; });
      while (at_ < text_.size()) {
        const size_t line_end = std::min(text_.find('\n', at_), text_.size());
        std::string_view line = text_.substr(at_, line_end - at_);
        at_ = std::min(line_end + 1, text_.size());
        while (tokens_[index].text == "<<-" && line.starts_with('\t')) line.remove_prefix(1);
        if (line == end) break;
        tokens_[index].body += concat(line, "\n");
      }
    }
  }

  std::string_view text_;
  std::string where_;
  bool is_script_;
  size_t at_ = 0, counted_ = 0;  // line_ is that of counted_
  int64_t line_ = 1;
  std::vector<ShellToken> tokens_;
  std::vector<size_t> here_;  // operators whose texts are still to come
};

// Behind the bracket that closes the one before `at`.
size_t end_of_brackets(std::string_view text, size_t at, char open, char close) {
  int depth = 1;
  while (at < text.size()) {
    if (text[at] == open) ++depth;
    if (text[at] == close && --depth == 0) return at + 1;
    at = end_of_part(text, at);
  }
  return std::string_view::npos;
}

size_t end_of_double_quotes(std::string_view text, size_t at) {
  while (at < text.size()) {
    if (text[at] == '"') return at + 1;
    at = text[at] == '\'' ? at + 1 : end_of_part(text, at);
  }
  return std::string_view::npos;
}

}  // namespace

size_t end_of_part(std::string_view text, size_t at) {
  const char c = text[at];
  const char next = at + 1 < text.size() ? text[at + 1] : 0;
  if (c == '\\') return std::min(at + 2, text.size());
  if (c == '"') return end_of_double_quotes(text, at + 1);
  if (c == '\'' || c == '`') {
    const size_t end = text.find(c, at + 1);
    return end == std::string_view::npos ? end : end + 1;
  }
  if (c == '$' && next == '(') return end_of_brackets(text, at + 2, '(', ')');
  if (c == '$' && next == '{') return end_of_brackets(text, at + 2, '{', '}');
  return at + 1;
}

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

bool is_flag(std::string_view word) {
  return word.starts_with("--") && word.size() > 2;
}

size_t assignment_prefix(std::string_view word) {
  size_t end = 0;
  while (end < word.size() && is_name_character(word[end])) ++end;
  if (end == 0 || std::isdigit(static_cast<unsigned char>(word[0])) != 0) return 0;
  if (word.substr(end).starts_with("+=")) return end + 2;
  return word.substr(end).starts_with("=") ? end + 1 : 0;
}

std::vector<ShellToken> shell_tokens(std::string_view text, const std::string& where) {
  return Lexer(text, where, true).tokens();
}

std::vector<std::string> raw_words(std::string_view text, const std::string& where) {
  std::vector<std::string> words;
  for (ShellToken& token : Lexer(text, where, false).tokens()) {
    words.push_back(std::move(token.text));
  }
  return words;
}

}  // namespace argosy
