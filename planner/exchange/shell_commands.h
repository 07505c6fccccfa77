// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Commands of a shell script, one after the other: variables, and the one that starts a program.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "planner/exchange/shell_conditions.h"
#include "planner/exchange/shell_tokens.h"
#include "planner/exchange/shell_variables.h"

namespace argosy {

// What came of a command.
struct ShellOutcome {
  Truth truth = Truth::yes;          // of its success
  std::string program;               // its first word; "": it only set variables
  std::vector<std::string> scripts;  // texts with commands in it, as bash -c has them
};

class ShellCommands {
 public:
  explicit ShellCommands(std::string where) : where_(std::move(where)) {}

  // `here_document`: what << gives it. `is_decided`: nothing before it hangs on what only the shell
  // can find out. Otherwise ConfigError, if it sets a variable or starts a program.
  ShellOutcome execute(std::span<const ShellToken> words, const std::string& here_document,
                       bool is_decided);
  Truth test(std::span<const ShellToken> tokens);
  std::string asked(const std::string& raw);  // the value that a condition asks for
  const ShellVariables& variables() const { return variables_; }

  // Of the Python program with the most flags so far, shown(); if there is none, the last command
  // with a flag as --training.seq_len=4096, or of torchtitan's run_train.sh.
  std::vector<std::string> program_words() const;
  // Before them, with NAME=value of its environment, as far as the script sets it.
  std::vector<std::string> launcher_words() const;
  std::vector<std::string> assumed_empty() const;  // in order, each once

 private:
  void assign(const ShellToken& word, bool is_decided);
  std::vector<std::string> environment() const;  // NAME=value of what is exported
  void note_program(const std::vector<std::string>& settings,
                    const std::vector<std::string>& fields, int64_t line, bool is_decided);
  [[noreturn]] void fail(int64_t line, const std::string& what) const;

  std::string where_;
  ShellVariables variables_;
  std::vector<std::string> words_, launcher_, assumed_empty_;
  std::set<std::string> exported_;  // names
  size_t most_flags_ = 0;
};

// What a user can do whose script cannot be read.
inline constexpr const char* kShellRemedy =
    "the flags alone, as the script prints them where 'torchrun' is 'echo'";

}  // namespace argosy
