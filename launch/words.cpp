// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/words.h"

#include "planner/spec/check.h"

namespace argosy {

std::string shell_word(const std::string& word) {
  constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
  if (!word.empty() && word.find_first_not_of(kSafe) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

bool has_argument(const std::vector<std::string>& arguments, std::string_view name,
                  std::string_view value) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (value.empty() ? arguments[i] == name : arguments[i] == concat(name, "=", value))
      return true;
    if (arguments[i] == name && i + 1 < arguments.size() && arguments[i + 1] == value) return true;
  }
  return false;
}

std::vector<std::string> trainer_words(const std::string& trainer, const std::string& plan,
                                       const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {trainer};
  bool has_plan = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    constexpr std::string_view kPlanIs = "--plan=";
    const bool is_word = arguments[i] == "--plan" && i + 1 < arguments.size();
    if (!is_word && !arguments[i].starts_with(kPlanIs)) continue;
    const std::string given = is_word ? arguments[i + 1] : arguments[i].substr(kPlanIs.size());
    if (given != plan) {
      throw ConfigError(concat("--plan: the launcher was given ", plan, ", the trainer ", given,
                               "; give it once, before --"));
    }
    has_plan = true;
  }
  if (!has_plan) words.insert(words.end(), {"--plan", plan});
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

}  // namespace argosy
