// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/exchange/shell_commands.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "planner/spec/check.h"

namespace argosy {

namespace {

// --training.seq_len=4096: torchtitan's, whatever starts it.
bool is_setting(const std::string& word) {
  return is_flag(word) && word.substr(0, word.find('=')).find('.') != std::string::npos;
}

bool is_of_torchtitan(const std::string& word) {
  return is_setting(word) || word.ends_with("run_train.sh");
}

// Flags behind the name of a Python program, and where its arguments begin.
struct ProgramFlags {
  size_t count = 0, begin = 0;
};
ProgramFlags program_flags(const std::vector<std::string>& words) {
  const auto behind = [&words](size_t begin) {
    const auto first = words.begin() + static_cast<std::ptrdiff_t>(begin);
    return ProgramFlags{static_cast<size_t>(std::count_if(first, words.end(), is_flag)), begin};
  };
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].ends_with(".py")) return behind(i + 1);
  }
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "-m") return behind(i + 2);
  }
  return {};
}

bool is_script_text(const std::string& word) {
  const size_t at = word.find(".py");
  return at != std::string::npos && word.find_first_of(" \n", at) != std::string::npos;
}

// Programs that do not fail in a script that works; of others nothing is known.
Truth truth_of_program(const std::string& program) {
  for (const char* sure :
       {"echo", "printf", "mkdir", "cd", "set", "source", ".", "exit", "true", ":"}) {
    if (program == sure) return Truth::yes;
  }
  return program == "false" ? Truth::no : Truth::unknown;
}

bool is_any(std::span<const ShellToken> words, std::initializer_list<std::string_view> names) {
  return !words.empty() && std::any_of(names.begin(), names.end(), [&](std::string_view name) {
    return words.front().is_word(name);
  });
}

}  // namespace

ShellOutcome ShellCommands::execute(std::span<const ShellToken> words,
                                    const std::string& here_document, bool is_decided) {
  ShellOutcome outcome;
  if (is_any(words, {"export", "declare", "local", "readonly", "typeset"})) {
    for (const ShellToken& word : words.subspan(1)) {
      assign(word, is_decided);
      if (words.front().is_word("export"))
        exported_.insert(word.text.substr(0, word.text.find('=')));
    }
    return outcome;
  }
  if (is_any(words, {"unset"})) {
    for (const ShellToken& word : words.subspan(1)) variables_.unset(word.text);
    return outcome;
  }
  size_t first = 0;
  while (first < words.size() && assignment_prefix(words[first].text) > 0) ++first;
  if (first == words.size()) {
    for (const ShellToken& word : words) assign(word, is_decided);
  }
  std::vector<std::string> settings = environment();
  for (const ShellToken& word : words.first(first)) settings.push_back(variables_.text(word.text));
  words = words.subspan(first);  // what stands before a program holds for it alone
  if (is_any(words, {"test"})) {
    outcome.truth = test(words.subspan(1));
    return outcome;
  }
  std::vector<std::string> fields;
  for (const ShellToken& word : words) {
    for (std::string& field : variables_.fields(word.text)) fields.push_back(std::move(field));
  }
  if (!fields.empty()) {
    outcome.program = fields.front();
    outcome.truth = truth_of_program(fields.front());
    note_program(settings, fields, words.front().line, is_decided);
  }
  for (const std::string& field : fields) {
    if (is_script_text(field)) outcome.scripts.push_back(shown(field));
  }
  if (std::string text = shown(variables_.document(here_document)); is_script_text(text)) {
    outcome.scripts.push_back(std::move(text));
  }
  return outcome;
}

void ShellCommands::assign(const ShellToken& word, bool is_decided) {
  const size_t length = assignment_prefix(word.text);
  if (length == 0) return;
  const bool appends = word.text[length - 2] == '+';
  const std::string name = word.text.substr(0, length - (appends ? 2 : 1));
  if (!is_decided) fail(word.line, name);
  const bool is_array = word.kind == ShellToken::Kind::array;
  std::vector<std::string> values;
  if (!is_array) values = {variables_.text(std::string_view(word.text).substr(length))};
  for (const std::string& item : word.items) {
    for (std::string& field : variables_.fields(item)) values.push_back(std::move(field));
  }
  if (appends) {
    variables_.append(name, values, is_array);
  } else {
    variables_.set(name, std::move(values));
  }
}

std::vector<std::string> ShellCommands::environment() const {
  std::vector<std::string> settings;
  for (const std::string& name : exported_) {
    const std::vector<std::string>* const values = variables_.find(name);
    if (values != nullptr && values->size() == 1) settings.push_back(name + "=" + values->front());
  }
  return settings;
}

void ShellCommands::note_program(const std::vector<std::string>& settings,
                                 const std::vector<std::string>& fields, int64_t line,
                                 bool is_decided) {
  const ProgramFlags flags = program_flags(fields);
  if (flags.count > 0 && !is_decided) fail(line, "the command");
  if (flags.count > 0 && flags.count >= most_flags_) {
    most_flags_ = flags.count;
    const auto program = fields.begin() + static_cast<std::ptrdiff_t>(flags.begin);
    words_.assign(program, fields.end());
    launcher_ = settings;
    launcher_.insert(launcher_.end(), fields.begin(), program);
  } else if (most_flags_ == 0 && std::any_of(fields.begin(), fields.end(), is_of_torchtitan)) {
    words_ = fields;
    launcher_ = settings;
    launcher_.insert(launcher_.end(), fields.begin(),
                     std::find_if(fields.begin(), fields.end(), is_setting));
  }
}

Truth ShellCommands::test(std::span<const ShellToken> tokens) {
  return truth_of_test(tokens, variables_, assumed_empty_);
}

std::string ShellCommands::asked(const std::string& raw) {
  return without_unset(variables_.text(raw), &assumed_empty_);
}

namespace {

std::vector<std::string> all_shown(const std::vector<std::string>& words) {
  std::vector<std::string> text;
  text.reserve(words.size());
  for (const std::string& word : words) text.push_back(shown(word));
  return text;
}

}  // namespace

std::vector<std::string> ShellCommands::program_words() const {
  return all_shown(words_);
}

std::vector<std::string> ShellCommands::launcher_words() const {
  return all_shown(launcher_);
}

std::vector<std::string> ShellCommands::assumed_empty() const {
  std::vector<std::string> names = assumed_empty_;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void ShellCommands::fail(int64_t line, const std::string& what) const {
  throw ConfigError(
      concat(where_, "line ", line, ": ", what,
             " hangs on a condition that only the shell can decide; valid: ", kShellRemedy));
}

}  // namespace argosy
