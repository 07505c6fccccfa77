// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/shell_arithmetic.h"

#include <cctype>
#include <string>
#include <vector>

#include "planner/exchange/shell_tokens.h"
#include "planner/spec/number_text.h"

namespace argosy {

namespace {

constexpr int kMostDepth = 16;  // of brackets

class Arithmetic {
 public:
  Arithmetic(std::string_view text, const ShellVariables& variables)
      : text_(text), variables_(variables) {}

  std::optional<int64_t> value() {
    const int64_t result = sum(0);
    skip_spaces();
    if (is_wrong_ || at_ != text_.size()) return std::nullopt;
    return result;
  }

 private:
  void skip_spaces() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  char take_any(std::string_view operators) {
    skip_spaces();
    if (at_ == text_.size() || operators.find(text_[at_]) == std::string_view::npos) return 0;
    return text_[at_++];
  }

  int64_t sum(int depth) {
    int64_t left = product(depth);
    while (const char op = take_any("+-")) {
      const int64_t right = product(depth);
      is_wrong_ |= op == '+' ? __builtin_add_overflow(left, right, &left)
                             : __builtin_sub_overflow(left, right, &left);
    }
    return left;
  }
  int64_t product(int depth) {
    int64_t left = operand(depth);
    while (const char op = take_any("*/%")) {
      const int64_t right = operand(depth);
      if (op == '*') {
        is_wrong_ |= __builtin_mul_overflow(left, right, &left);
      } else if (right <= 0) {
        is_wrong_ = true;
      } else {
        left = op == '/' ? left / right : left % right;
      }
    }
    return left;
  }
  int64_t operand(int depth) {
    if (is_wrong_ || depth > kMostDepth) return fail();
    if (take_any("(") != 0) {
      const int64_t inner = sum(depth + 1);
      return take_any(")") != 0 ? inner : fail();
    }
    skip_spaces();
    const size_t begin = at_;
    while (at_ < text_.size() && is_name_character(text_[at_])) ++at_;
    std::string word(text_.substr(begin, at_ - begin));
    const std::vector<std::string>* values = variables_.find(word);
    if (values != nullptr && !values->empty()) word = values->front();
    const std::optional<int64_t> value = number_in<int64_t>(word);
    return value ? *value : fail();
  }
  int64_t fail() {
    is_wrong_ = true;
    return 0;
  }

  std::string_view text_;
  const ShellVariables& variables_;
  size_t at_ = 0;
  bool is_wrong_ = false;
};

}  // namespace

std::optional<int64_t> shell_arithmetic(std::string_view text, const ShellVariables& variables) {
  return Arithmetic(text, variables).value();
}

}  // namespace argosy
