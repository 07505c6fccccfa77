// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Words of a command line: how a shell wants them, and those of argosy-train.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace argosy {

// A word for a POSIX shell, quoted where it has to be.
std::string shell_word(const std::string& word);

// True if the arguments have `name value` or `name=value`; without a value, `name` alone.
bool has_argument(const std::vector<std::string>& arguments, std::string_view name,
                  std::string_view value = {});

// argosy-train by the plan. Throws ConfigError where the user's own --plan is not the launcher's.
std::vector<std::string> trainer_words(const std::string& trainer, const std::string& plan,
                                       const std::vector<std::string>& arguments);

}  // namespace argosy
