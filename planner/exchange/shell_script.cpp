// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/shell_script.h"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <span>
#include <utility>

#include "planner/exchange/shell_conditions.h"
#include "planner/exchange/shell_tokens.h"
#include "planner/exchange/shell_variables.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr int kMostDepth = 16;  // of texts and functions in one another
constexpr const char* kPrinted =
    "the flags alone, as the script prints them where 'torchrun' is 'echo'";

bool is_flag(const std::string& word) {
  return word.starts_with("--") && word.size() > 2;
}

// How many flags stand behind the name of a Python program, and where they begin.
std::pair<size_t, size_t> program_flags(const std::vector<std::string>& words) {
  const auto count_behind = [&words](size_t begin) {
    return static_cast<size_t>(
        std::count_if(words.begin() + static_cast<std::ptrdiff_t>(begin), words.end(), is_flag));
  };
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].ends_with(".py")) return {count_behind(i + 1), i + 1};
  }
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "-m") return {count_behind(i + 2), i + 2};
  }
  return {0, 0};
}

// A command in a text, as bash -c has it.
bool is_script_text(const std::string& word) {
  const size_t at = word.find(".py");
  return at != std::string::npos && word.find_first_of(" \n", at) != std::string::npos;
}

class Interpreter {
 public:
  explicit Interpreter(std::string where) : where_(std::move(where)) {}

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

  ShellCommand command() && {
    ShellCommand command;
    for (const std::string& word : words_) command.words.push_back(shown(word));
    std::sort(assumed_empty_.begin(), assumed_empty_.end());
    const auto end = std::unique(assumed_empty_.begin(), assumed_empty_.end());
    command.assumed_empty.assign(assumed_empty_.begin(), end);
    return command;
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
    throw ConfigError(concat(where_, "line ", line, ": ", what, "; valid: ", kPrinted));
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
    const std::string value = without_unset(variables_.text(token().text),
                                            will_ == Will::skip ? nullptr : &assumed_empty_);
    ++at_;
    skip_newlines();
    require("in");
    Truth before = Truth::no;
    for (skip_newlines(); !take("esac"); skip_newlines()) {
      take("(");
      Truth matches = Truth::no;
      for (; !is_at_end() && !is_at({")"}); ++at_) {
        if (token().kind != ShellToken::Kind::word) continue;  // |
        matches = either(matches, truth_of_pattern(value, token().text, variables_));
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
    return truth_of_test(tokens, variables_, assumed_empty_);
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
    if (next == at_ || next == tokens_.size() || !is_flag(tokens_[next].text)) return false;
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
    return will_ == Will::skip ? Truth::yes : execute(words, body);
  }

  Truth execute(std::span<const ShellToken> words, const std::string& body) {
    const auto is_word = [&](std::initializer_list<std::string_view> names) {
      return !words.empty() && std::any_of(names.begin(), names.end(), [&](std::string_view name) {
        return words.front().is_word(name);
      });
    };
    if (is_word({"export", "declare", "local", "readonly", "typeset"})) {
      for (const ShellToken& word : words.subspan(1)) assign(word);
      return Truth::yes;
    }
    size_t first = 0;
    while (first < words.size() && assignment_prefix(words[first].text) > 0) ++first;
    if (first == words.size()) {
      for (const ShellToken& word : words) assign(word);
    }
    words = words.subspan(first);
    if (is_word({"unset"})) {
      for (const ShellToken& word : words.subspan(1)) variables_.unset(word.text);
      return Truth::yes;
    }
    if (is_word({"test"})) return truth_of_test(words.subspan(1), variables_, assumed_empty_);
    if (is_word({"true", ":"})) return Truth::yes;
    if (is_word({"false"})) return Truth::no;
    std::vector<std::string> fields;
    for (const ShellToken& word : words) {
      for (std::string& field : variables_.fields(word.text)) fields.push_back(std::move(field));
    }
    return start(fields, body);
  }

  void assign(const ShellToken& word) {
    const size_t length = assignment_prefix(word.text);
    if (length == 0) return;
    const bool appends = word.text[length - 2] == '+';
    const std::string name = word.text.substr(0, length - (appends ? 2 : 1));
    const bool is_array = word.kind == ShellToken::Kind::array;
    if (will_ == Will::ask) {
      fail(concat(name, " hangs on a condition that only the shell can decide"));
    }
    std::vector<std::string> values;
    if (is_array) {
      for (const std::string& item : word.items) {
        for (std::string& field : variables_.fields(item)) values.push_back(std::move(field));
      }
    } else {
      values = {variables_.text(std::string_view(word.text).substr(length))};
    }
    if (appends) {
      variables_.append(name, values, is_array);
    } else {
      variables_.set(name, std::move(values));
    }
  }

  // A command with its words; nothing is started.
  Truth start(const std::vector<std::string>& fields, const std::string& body) {
    if (!fields.empty() && functions_.contains(fields.front())) return call(fields.front());
    const auto [num_flags, begin] = program_flags(fields);
    if (num_flags > 0) {
      if (will_ == Will::ask) {
        fail("the command hangs on a condition that only the shell can decide");
      }
      if (num_flags >= most_flags_) {
        most_flags_ = num_flags;
        words_.assign(fields.begin() + static_cast<std::ptrdiff_t>(begin), fields.end());
      }
    } else if (most_flags_ == 0 && std::any_of(fields.begin(), fields.end(), is_flag)) {
      words_ = fields;  // a program of another kind, unless there is a better one
    }
    for (const std::string& field : fields) {
      if (num_flags == 0 && is_script_text(field)) run(shown(field));
    }
    if (is_script_text(body)) run(shown(variables_.document(body)));
    return fields.empty() ? Truth::yes : status_of(fields.front());
  }
  static Truth status_of(const std::string& program) {
    for (const char* sure : {"echo", "printf", "mkdir", "cd", "set", "source", ".", "exit"}) {
      if (program == sure) return Truth::yes;
    }
    return Truth::unknown;
  }

  std::string where_;
  std::vector<ShellToken> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  Will will_ = Will::run;
  bool was_test_ = false;  // the last statement, not a program
  ShellVariables variables_;
  std::map<std::string, std::vector<ShellToken>> functions_;
  std::vector<std::string> words_, assumed_empty_;
  size_t most_flags_ = 0;
};

bool begins_with_flag(std::string_view text, const std::string& where) {
  const std::vector<ShellToken> tokens = shell_tokens(text, where);
  const auto first = std::find_if(tokens.begin(), tokens.end(), [](const ShellToken& token) {
    return token.kind != ShellToken::Kind::newline;
  });
  return first == tokens.end() || first->text.starts_with("-");
}

}  // namespace

ShellCommand read_shell_command(std::string_view text, const std::string& where) {
  if (begins_with_flag(text, where)) {
    ShellCommand command;
    const ShellVariables nothing;
    for (const std::string& raw : raw_words(text, where)) {
      for (const std::string& word : nothing.fields(raw)) command.words.push_back(shown(word));
    }
    return command;
  }
  Interpreter interpreter(where);
  interpreter.run(text);
  ShellCommand command = std::move(interpreter).command();
  if (command.words.empty()) {
    throw ConfigError(concat(where,
                             "no command in it starts a Python program with flags; valid: a script "
                             "with such a command, or the flags alone"));
  }
  return command;
}

}  // namespace argosy
