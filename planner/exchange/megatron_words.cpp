// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/megatron_words.h"

#include <cctype>
#include <cmath>
#include <utility>

#include "planner/exchange/shell_tokens.h"
#include "planner/spec/check.h"
#include "planner/spec/near_name.h"
#include "planner/spec/number_text.h"

namespace argosy {

namespace {

// Whole: it may stand for any number of words.
bool is_variable(const std::string& word) {
  return word.size() > 1 && word[0] == '$' &&
         word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@*",
                                1) == std::string::npos;
}

void require_known(const std::string& flag, const std::string& value) {
  const size_t at = value.find('$');
  if (at == std::string::npos) return;
  throw ConfigError(concat(flag, " ", value,
                           ": the script does not set it; valid: a value instead of the variable"));
}

}  // namespace

MegatronFlags::MegatronFlags(const std::vector<std::string>& words) {
  std::vector<std::string>* values = nullptr;
  for (const std::string& word : words) {
    if (!is_flag(word)) {
      if (is_variable(word) && (values == nullptr || !values->empty())) {
        passed_over_.push_back(word);
        continue;
      }
      if (values == nullptr) {
        throw ConfigError(
            concat("'", word, "'; valid: flags as --num-layers 32, or a file with them"));
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

const std::vector<std::string>* MegatronFlags::find(const std::string& flag) const {
  asked_.insert(flag);
  const auto found = flags_.find(flag);
  return found == flags_.end() ? nullptr : &found->second;
}

std::string MegatronFlags::meant(const std::string& flag) const {
  std::vector<std::string> names = weighed_flags();
  names.insert(names.end(), asked_.begin(), asked_.end());
  return nearest_name(flag, names);
}

bool MegatronFlags::take(const std::string& flag) {
  if (!has(flag)) return false;
  const auto found = flags_.find(flag);
  for (const std::string& word : found->second) {
    if (is_variable(word)) passed_over_.push_back(word);
  }
  flags_.erase(found);
  return true;
}

std::string MegatronFlags::take_all(std::initializer_list<const char*> flags) {
  std::string list;
  for (const char* flag : flags) {
    if (take(flag)) append_listed(list, flag);
  }
  return list;
}

std::string MegatronFlags::text(const std::string& flag, const std::string& fallback) {
  if (!has(flag)) return fallback;
  const auto found = flags_.find(flag);
  if (found->second.size() != 1) throw ConfigError(concat(flag, "; valid: one value"));
  std::string value = std::move(found->second.front());
  flags_.erase(found);
  require_known(flag, value);
  return value;
}

namespace {

double number_of(const std::string& flag, const std::string& value) {
  const std::optional<double> number = number_in<double>(value);
  if (!number) throw ConfigError(concat(flag, " ", value, "; valid: a number"));
  return *number;
}

int64_t count_of(const std::string& flag, double value) {
  if (!(value >= 1 && value < 1e15) || value != std::floor(value)) {
    throw ConfigError(concat(flag, " ", value, "; valid: a whole number of at least 1"));
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
  if (!has(flag)) throw ConfigError(concat(flag, " is missing; valid: a number"));
  return count(flag, 1);
}

std::vector<std::string> MegatronFlags::words(const std::string& flag) {
  if (!has(flag)) return {};
  const auto found = flags_.find(flag);
  std::vector<std::string> values = std::move(found->second);
  flags_.erase(found);
  for (const std::string& value : values) require_known(flag, value);
  return values;
}

std::vector<std::string> MegatronFlags::left() const {
  std::vector<std::string> names;
  for (const auto& [flag, values] : flags_) names.push_back(flag);
  return names;
}

void refuse_flag(const std::string& what, const std::string& valid) {
  throw ConfigError(concat(what, " cannot be priced; valid: ", valid));
}

}  // namespace argosy
