// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/shell_script.h"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <span>
#include <utility>

#include "planner/exchange/shell_commands.h"
#include "planner/exchange/shell_conditions.h"
#include "planner/exchange/shell_tokens.h"
#include "planner/exchange/shell_variables.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr int kMostDepth = 16;  // of texts and functions in one another

class Interpreter {
 public:
  explicit Interpreter(const std::string& where) : where_(where), commands_(where) {}

  void run(std::string_view text) {
    if (++depth_ > kMostDepth) throw ConfigError(concat(where_, "texts in texts; valid: fewer"));
    std::vector<ShellToken> tokens = shell_tokens(text, where_);
    tokens.swap(tokens_);
    const size_t at = std::exchange(at_, 0);
    while (at_ < tokens_.size()) {
      list({});
      ++at_;  // a bracket or word that closes nothing
    }
    tokens_.swap(tokens);
    at_ = at;
    --depth_;
  }

  ShellCommand command() const {
    return {commands_.program_words(), commands_.launcher_words(), commands_.assumed_empty()};
  }

 private:
  enum class Will { run, ask, skip };  // ask: behind a condition that cannot be decided

  static Will will_of(Truth truth) {
    if (truth == Truth::unknown) return Will::ask;
    return truth == Truth::yes ? Will::run : Will::skip;
  }

  // Statements under a condition, up to a word of `ends`.
  Truth list_if(Truth condition, std::initializer_list<std::string_view> ends) {
    const Will outer = std::exchange(will_, std::max(will_, will_of(condition)));
    const Truth last = list(ends);
    will_ = outer;
    return last;
  }

  bool is_at_end() const { return at_ >= tokens_.size(); }
  const ShellToken& token() const { return tokens_[at_]; }
  bool is_at(std::initializer_list<std::string_view> words) const {
    return std::any_of(words.begin(), words.end(), [this](std::string_view word) {
      return token().is_word(word) || token().is_op(word);
    });
  }
  bool take(std::string_view word) {
    if (is_at_end() || !is_at({word})) return false;
    ++at_;
    return true;
  }
  void skip_newlines() {
    while (!is_at_end() && token().kind == ShellToken::Kind::newline) ++at_;
  }
  [[noreturn]] void fail(const std::string& what) const {
    const int64_t line = is_at_end() ? (tokens_.empty() ? 1 : tokens_.back().line) : token().line;
    throw ConfigError(concat(where_, "line ", line, ": ", what, "; valid: ", kShellRemedy));
  }
  void require(std::string_view word) {
    if (!take(word)) fail(concat("'", word, "' is missing"));
  }

  Truth list(std::initializer_list<std::string_view> ends) {
    Truth last = Truth::yes;
    while (true) {
      while (!is_at_end() && (token().kind == ShellToken::Kind::newline || is_at({";", "&"}))) {
        ++at_;
      }
      if (is_at_end() || is_at(ends) || is_at({")", "}", ";;"})) return last;
      last = chain();
    }
  }

  Truth chain() {
    Truth last = pipeline();
    while (!is_at_end() && is_at({"&&", "||"})) {
      const bool is_and = token().is_op("&&");
      ++at_;
      skip_newlines();
      // Who writes "cd there && run" expects that it works.
      if (last == Truth::unknown && !was_test_) last = Truth::yes;
      const Will outer =
          std::exchange(will_, std::max(will_, will_of(is_and ? last : opposite(last))));
      const Truth next = pipeline();
      will_ = outer;
      last = is_and ? both(last, next) : either(last, next);
    }
    return last;
  }

  Truth pipeline() {
    Truth last = statement();
    while (take("|") || take("|&")) {
      skip_newlines();
      last = statement();
    }
    return last;
  }

  Truth statement() {
    if (is_at_end()) return Truth::yes;
    if (take("!")) return opposite(statement());
    if (take("if")) return if_statement();
    if (take("case")) return case_statement();
    if (take("while")) return loop(true);
    if (take("until")) return loop(false);
    if (take("for") || take("select")) return for_loop();
    if (take("{")) return group("}");
    if (take("(")) return group(")");
    if (take("[[")) return test("]]");
    if (take("[")) return test("]");
    const bool is_function = take("function") || is_function_head();
    return is_function ? define_function() : simple();
  }

  Truth group(std::string_view end) {
    const Truth last = list({end});
    require(end);
    skip_redirections();
    return last;
  }

  Truth if_statement() {
    Truth before = Truth::no;  // a branch above is taken
    while (true) {
      const Truth condition = list_if(opposite(before), {"then"});
      require("then");
      list_if(both(opposite(before), condition), {"elif", "else", "fi"});
      before = either(before, condition);
      if (take("elif")) continue;
      if (take("else")) list_if(opposite(before), {"fi"});
      require("fi");
      skip_redirections();
      return Truth::yes;
    }
  }

  Truth loop(bool runs_while) {
    const Truth condition = list_if(Truth::yes, {"do"});
    const bool is_never = condition == (runs_while ? Truth::no : Truth::yes);
    return body_of_loop(is_never ? Truth::no : Truth::unknown);
  }
  Truth for_loop() {
    while (!is_at_end() && !is_at({"do"})) ++at_;
    return body_of_loop(Truth::unknown);
  }
  Truth body_of_loop(Truth condition) {
    require("do");
    list_if(condition, {"done"});
    require("done");
    skip_redirections();
    return Truth::yes;
  }

  Truth case_statement() {
    if (is_at_end()) fail("case of nothing");
    const std::string value = will_ == Will::skip ? "" : commands_.asked(token().text);
    ++at_;
    skip_newlines();
    require("in");
    Truth before = Truth::no;
    for (skip_newlines(); !take("esac"); skip_newlines()) {
      take("(");
      Truth matches = Truth::no;
      for (; !is_at_end() && !is_at({")"}); ++at_) {
        if (token().kind != ShellToken::Kind::word) continue;  // |
        matches = either(matches, truth_of_pattern(value, token().text, commands_.variables()));
      }
      require(")");
      list_if(both(opposite(before), matches), {"esac"});
      before = either(before, matches);
      take(";;");
    }
    return Truth::yes;
  }

  Truth test(std::string_view end) {
    const size_t begin = at_;
    while (!is_at_end() && !token().is_word(end)) ++at_;
    const auto tokens = std::span<const ShellToken>(tokens_).subspan(begin, at_ - begin);
    require(end);
    was_test_ = true;
    if (will_ == Will::skip) return Truth::unknown;
    return commands_.test(tokens);
  }

  bool is_function_head() const {
    return at_ + 2 < tokens_.size() && token().kind == ShellToken::Kind::word &&
           tokens_[at_ + 1].is_op("(") && tokens_[at_ + 2].is_op(")");
  }
  // Its body is kept as it stands, and read where it is called.
  Truth define_function() {
    const std::string name = token().text;
    ++at_;
    if (take("(")) require(")");
    skip_newlines();
    require("{");
    const size_t begin = at_;
    const Will outer = std::exchange(will_, Will::skip);
    list({"}"});
    will_ = outer;
    functions_[name].assign(tokens_.begin() + static_cast<std::ptrdiff_t>(begin),
                            tokens_.begin() + static_cast<std::ptrdiff_t>(at_));
    require("}");
    return Truth::yes;
  }
  Truth call(const std::string& name) {
    if (++depth_ > kMostDepth) fail(concat(name, " calls itself"));
    std::vector<ShellToken> body = functions_.at(name);
    tokens_.swap(body);
    const size_t at = std::exchange(at_, 0);
    const Truth last = list({});
    tokens_.swap(body);
    at_ = at;
    --depth_;
    return last;
  }

  void skip_redirections() {
    while (!is_at_end() && token().kind == ShellToken::Kind::op && is_redirection(token().text)) {
      at_ = std::min(at_ + 2, tokens_.size());
    }
  }
  static bool is_redirection(const std::string& op) {
    return op.find_first_of("<>") != std::string::npos;
  }

  // Lines that begin with a flag belong to the command before them.
  bool goes_on() {
    size_t next = at_;
    while (next < tokens_.size() && tokens_[next].kind == ShellToken::Kind::newline) ++next;
    if (next == at_ || next == tokens_.size() || !tokens_[next].text.starts_with("--"))
      return false;
    at_ = next;
    return true;
  }

  Truth simple() {
    std::vector<ShellToken> words;
    std::string body;
    while (!is_at_end()) {
      const ShellToken& next = token();
      if (next.kind == ShellToken::Kind::newline) {
        if (!goes_on()) break;
      } else if (next.kind == ShellToken::Kind::op) {
        if (!is_redirection(next.text)) break;
        if (next.text.starts_with("<<")) body += next.body;
        at_ = std::min(at_ + 2, tokens_.size());
      } else {
        words.push_back(next);
        ++at_;
      }
    }
    if (words.empty() && body.empty()) ++at_;  // an operator where none can be
    was_test_ = !words.empty() && words.front().is_word("test");
    if (will_ == Will::skip) return Truth::yes;
    const ShellOutcome outcome = commands_.execute(words, body, will_ == Will::run);
    if (functions_.contains(outcome.program)) return call(outcome.program);
    for (const std::string& script : outcome.scripts) run(script);
    return outcome.truth;
  }

  std::string where_;
  std::vector<ShellToken> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  Will will_ = Will::run;
  bool was_test_ = false;  // the last statement, not a program
  ShellCommands commands_;
  std::map<std::string, std::vector<ShellToken>> functions_;
};

// "": there is none.
std::string first_word(std::string_view text, const std::string& where) {
  for (const ShellToken& token : shell_tokens(text, where)) {
    if (token.kind != ShellToken::Kind::newline) return token.text;
  }
  return "";
}

}  // namespace

ShellCommand read_shell_command(std::string_view text, const std::string& where) {
  const std::string first = first_word(text, where);
  if (first.empty() || first.starts_with("-")) {
    ShellCommand command;
    const ShellVariables nothing;
    for (const std::string& raw : raw_words(text, where)) {
      for (const std::string& word : nothing.fields(raw)) command.words.push_back(shown(word));
    }
    return command;
  }
  Interpreter interpreter(where);
  interpreter.run(text);
  ShellCommand command = interpreter.command();
  if (command.words.empty()) {
    throw ConfigError(concat(where, "no command from '", first,
                             "' on starts a Python program with flags; valid: a script with such a "
                             "command, or the flags alone"));
  }
  return command;
}

}  // namespace argosy
