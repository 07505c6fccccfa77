// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/words.h"

#include <algorithm>

#include "planner/spec/check.h"
#include "planner/spec/config_text.h"
#include "planner/spec/files.h"

namespace argosy {

namespace {

// How many words of the arguments are --NAME and its value at word `i`; 0: another option.
size_t words_of_option(const std::vector<std::string>& arguments, size_t i,
                       const std::string& name) {
  if (arguments[i].starts_with(concat("--", name, "="))) return 1;
  return arguments[i] == concat("--", name) && i + 1 < arguments.size() ? 2 : 0;
}

std::optional<std::string> option_on_command_line(const std::vector<std::string>& arguments,
                                                  const std::string& name) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const size_t words = words_of_option(arguments, i, name);
    if (words == 1) return arguments[i].substr(name.size() + 3);
    if (words == 2) return arguments[i + 1];
  }
  return std::nullopt;
}

}  // namespace

std::string shell_word(const std::string& word) {
  constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
  if (!word.empty() && word.find_first_not_of(kSafe) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

bool has_argument(const std::vector<std::string>& arguments, std::string_view name) {
  return std::find(arguments.begin(), arguments.end(), name) != arguments.end();
}

std::optional<std::string> trainer_option(const std::vector<std::string>& arguments,
                                          const std::string& name) {
  if (auto value = option_on_command_line(arguments, name)) return value;
  const auto config = option_on_command_line(arguments, "config");
  if (!config) return std::nullopt;
  try {
    for (ConfigOption& option : parse_config_text(read_text_file(*config), *config)) {
      if (option.key == name) return std::move(option.value);
    }
  } catch (const ConfigError&) {  // the trainer's to tell
  }
  return std::nullopt;
}

std::vector<std::string> without_option(const std::vector<std::string>& arguments,
                                        const std::string& name) {
  std::vector<std::string> rest;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const size_t words = words_of_option(arguments, i, name);
    if (words == 0) {
      rest.push_back(arguments[i]);
    } else {
      i += words - 1;
    }
  }
  return rest;
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
