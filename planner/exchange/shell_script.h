// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The command of a shell script that starts a Python program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace argosy {

struct ShellCommand {
  std::vector<std::string> words;  // what the program is given; a variable nobody sets as $NAME
  std::vector<std::string>
      launcher;  // what stands before them, NAME=value of its environment first
  std::vector<std::string> assumed_empty;  // variables that nobody sets and conditions ask for
};

// `text`: flags alone, or a script: variables, arrays, arithmetic, if, case, && and ||, functions,
// here-documents and commands in a text (bash -c "...") are understood. It is read as if it were
// started without arguments, with nothing in the environment, where no file is that it asks for. Of
// several commands the one with the most flags counts. Nothing is ever started. Throws ConfigError
// for what decides a variable and can be found out only by running the script; its message begins
// with `where`.
ShellCommand read_shell_command(std::string_view text, const std::string& where);

}  // namespace argosy
