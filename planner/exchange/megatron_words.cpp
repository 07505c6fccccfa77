// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/megatron_words.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr const char* kOption = "--import-megatron: ";

class Reader {
 public:
  Reader(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {}

  std::vector<std::string> words() {
    while (at_ < text_.size()) step();
    if (quote_ != 0) throw ConfigError(concat(where_, "a quote is not closed; valid: '...'"));
    end_word();
    return std::move(words_);
  }

 private:
  void step() {
    const char c = text_[at_++];
    if (quote_ != 0) {
      if (c == quote_) {
        quote_ = 0;
      } else {
        word_ += c;
      }
    } else if (c == '\'' || c == '"') {
      quote_ = c;
      is_word_ = true;
    } else if (c == '\\') {
      if (at_ < text_.size() && text_[at_] != '\n') word_ += text_[at_];
      ++at_;
    } else if (c == '#' && word_.empty()) {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      end_word();
    } else {
      word_ += c;
    }
  }

  void end_word() {
    if (word_.find('$') != std::string::npos) {
      throw ConfigError(concat(where_, "'", word_, "'; valid: values instead of variables"));
    }
    if (!word_.empty() || is_word_) words_.push_back(word_);
    word_.clear();
    is_word_ = false;
  }

  std::string_view text_;
  std::string where_;
  size_t at_ = 0;
  char quote_ = 0;
  bool is_word_ = false;
  std::string word_;
  std::vector<std::string> words_;
};

bool is_flag(const std::string& word) {
  return word.starts_with("--") && word.size() > 2;
}

}  // namespace

std::vector<std::string> shell_words(std::string_view text, const std::string& where) {
  std::vector<std::string> words = Reader(text, where).words();
  for (size_t i = 0; i < words.size(); ++i) {
    if (!words[i].ends_with(".py")) continue;
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    break;
  }
  return words;
}

MegatronFlags::MegatronFlags(const std::vector<std::string>& words) {
  std::vector<std::string>* values = nullptr;
  for (const std::string& word : words) {
    if (!is_flag(word)) {
      if (values == nullptr) {
        throw ConfigError(
            concat(kOption, "'", word, "'; valid: flags as --num-layers 32, or a file with them"));
      }
      values->push_back(word);
      continue;
    }
    const size_t equals = word.find('=');
    values = &flags_[word.substr(0, equals)];
    values->clear();
    if (equals != std::string::npos) values->push_back(word.substr(equals + 1));
  }
}

std::string MegatronFlags::text(const std::string& flag, const std::string& fallback) {
  const auto found = flags_.find(flag);
  if (found == flags_.end()) return fallback;
  if (found->second.size() != 1) throw ConfigError(concat(kOption, flag, "; valid: one value"));
  std::string value = std::move(found->second.front());
  flags_.erase(found);
  return value;
}

namespace {

double number_of(const std::string& flag, const std::string& value) {
  double result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc() || end != value.data() + value.size()) {
    throw ConfigError(concat(kOption, flag, " ", value, "; valid: a number"));
  }
  return result;
}

int64_t count_of(const std::string& flag, double value) {
  if (!(value >= 1 && value < 1e15) || value != std::floor(value)) {
    throw ConfigError(concat(kOption, flag, " ", value, "; valid: a whole number of at least 1"));
  }
  return static_cast<int64_t>(value);
}

}  // namespace

double MegatronFlags::number(const std::string& flag, double fallback) {
  return has(flag) ? number_of(flag, text(flag, "")) : fallback;
}

int64_t MegatronFlags::count(const std::string& flag, int64_t fallback) {
  return count_of(flag, number(flag, static_cast<double>(fallback)));
}

std::vector<int64_t> MegatronFlags::counts(const std::string& flag) {
  std::vector<int64_t> counts;
  for (const std::string& word : words(flag)) {
    counts.push_back(count_of(flag, number_of(flag, word)));
  }
  return counts;
}

int64_t MegatronFlags::required(const std::string& flag) {
  if (!has(flag)) throw ConfigError(concat(kOption, flag, " is missing; valid: a number"));
  return count(flag, 1);
}

std::vector<std::string> MegatronFlags::words(const std::string& flag) {
  const auto found = flags_.find(flag);
  if (found == flags_.end()) return {};
  std::vector<std::string> values = std::move(found->second);
  flags_.erase(found);
  return values;
}

std::vector<std::string> MegatronFlags::left() const {
  std::vector<std::string> names;
  for (const auto& [flag, values] : flags_) names.push_back(flag);
  return names;
}

void refuse_flag(const std::string& what, const std::string& valid) {
  throw ConfigError(concat(kOption, what, " cannot be priced; valid: ", valid));
}

}  // namespace argosy
