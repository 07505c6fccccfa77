// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/shell_conditions.h"
#include "planner/spec/number_text.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

namespace argosy {

namespace {

// A pattern with * for any letters, as *7b*; ? and [...] are not followed.
bool matches(std::string_view value, std::string_view pattern) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return value == pattern;
  if (!value.starts_with(pattern.substr(0, star))) return false;
  for (size_t at = star; at <= value.size(); ++at) {
    if (matches(value.substr(at), pattern.substr(star + 1))) return true;
  }
  return false;
}

// `raw` with its quotes, `text` what it says: a quoted pattern is a text.
Truth truth_of_match(const std::string& value, const std::string& raw, const std::string& text) {
  const bool is_quoted = raw.find_first_of("'\"") == 0;
  constexpr std::ptrdiff_t kMostStars = 4;  // each may stand for any part of the value
  if (is_quoted || raw.find_first_of("*?[") == std::string::npos) return truth_of(value == text);
  const bool is_simple = text.find_first_of("?[") == std::string::npos &&
                         std::count(text.begin(), text.end(), '*') <= kMostStars;
  return is_simple ? truth_of(matches(value, text)) : Truth::unknown;
}

Truth compare_numbers(const std::string& left, const std::string& op, const std::string& right) {
  if (left.empty() || right.empty()) return Truth::no;  // an error there, which is a no
  const std::optional<int64_t> a = number_in<int64_t>(left), b = number_in<int64_t>(right);
  if (!a || !b) return Truth::unknown;
  if (op == "-eq") return truth_of(*a == *b);
  if (op == "-ne") return truth_of(*a != *b);
  if (op == "-lt") return truth_of(*a < *b);
  if (op == "-le") return truth_of(*a <= *b);
  if (op == "-gt") return truth_of(*a > *b);
  if (op == "-ge") return truth_of(*a >= *b);
  return Truth::unknown;
}

class Test {
 public:
  Test(std::span<const ShellToken> tokens, const ShellVariables& variables,
       std::vector<std::string>& assumed_empty)
      : tokens_(tokens), variables_(variables), assumed_empty_(assumed_empty) {}

  // a && b || c, where -a and -o mean the same.
  Truth truth() {
    Truth any = Truth::no, all = Truth::yes;
    std::vector<std::string> words;
    for (const ShellToken& token : tokens_) {
      const bool is_and = token.is_op("&&") || token.is_word("-a");
      const bool is_or = token.is_op("||") || token.is_word("-o");
      if (!is_and && !is_or) {
        words.push_back(token.text);
        continue;
      }
      all = both(all, simple(words));
      words.clear();
      if (is_or) any = either(any, all), all = Truth::yes;
    }
    return either(any, both(all, simple(words)));
  }

 private:
  Truth simple(std::vector<std::string> words) {
    if (words.size() > 1 && words.front() == "!") {
      words.erase(words.begin());
      return opposite(simple(words));
    }
    if (words.size() == 1) return is_something(words[0]);
    if (words.size() == 2) return unary(words[0], words[1]);
    return words.size() == 3 ? binary(words[0], words[1], words[2]) : Truth::unknown;
  }

  Truth unary(const std::string& op, const std::string& raw) {
    if (op == "-n") return is_something(raw);
    if (op == "-z") return opposite(is_something(raw));
    for (const char* of_files : {"-e", "-f", "-d", "-s", "-r", "-w", "-x", "-L", "-h"}) {
      if (op == of_files) return Truth::no;
    }
    return Truth::unknown;
  }

  Truth is_something(const std::string& raw) {
    const std::string value = value_of(raw);
    return is_unknown(value) ? Truth::unknown : truth_of(!value.empty());
  }

  Truth binary(const std::string& left_raw, const std::string& op, const std::string& right_raw) {
    const std::string left = value_of(left_raw), right = value_of(right_raw);
    if (is_unknown(left) || is_unknown(right)) return Truth::unknown;
    if (op == "=" || op == "==" || op == "!=") {
      const Truth equal = truth_of_match(left, right_raw, right);
      return op == "!=" ? opposite(equal) : equal;
    }
    return compare_numbers(left, op, right);
  }

  std::string value_of(const std::string& raw) {
    return without_unset(variables_.text(raw), &assumed_empty_);
  }

  std::span<const ShellToken> tokens_;
  const ShellVariables& variables_;
  std::vector<std::string>& assumed_empty_;
};

}  // namespace

Truth truth_of(bool is_true) {
  return is_true ? Truth::yes : Truth::no;
}
Truth both(Truth left, Truth right) {
  if (left == Truth::no || right == Truth::no) return Truth::no;
  return left == Truth::yes ? right : Truth::unknown;
}
Truth either(Truth left, Truth right) {
  return opposite(both(opposite(left), opposite(right)));
}
Truth opposite(Truth truth) {
  return truth == Truth::unknown ? truth : truth_of(truth == Truth::no);
}

Truth truth_of_test(std::span<const ShellToken> tokens, const ShellVariables& variables,
                    std::vector<std::string>& assumed_empty) {
  return Test(tokens, variables, assumed_empty).truth();
}

Truth truth_of_pattern(const std::string& value, const std::string& pattern,
                       const ShellVariables& variables) {
  if (pattern == "*") return Truth::yes;
  if (is_unknown(value)) return Truth::unknown;
  return truth_of_match(value, pattern, without_unset(variables.text(pattern)));
}

}  // namespace argosy
