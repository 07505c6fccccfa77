// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Words of a command line: how a shell wants them, and those of argosy-train.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace argosy {

// A word for a POSIX shell, quoted where it has to be.
std::string shell_word(const std::string& word);

// True if `name` is one of the arguments, as "--share-gpus".
bool has_argument(const std::vector<std::string>& arguments, std::string_view name);

// What the trainer will read as the value of --NAME: from its arguments, else from the --config
// file among them, whose mistakes are left for the trainer to tell. Nothing where neither has it.
std::optional<std::string> trainer_option(const std::vector<std::string>& arguments,
                                          const std::string& name);

// The arguments without --NAME and its value.
std::vector<std::string> without_option(const std::vector<std::string>& arguments,
                                        const std::string& name);

// argosy-train by the plan. Throws ConfigError where the user's own --plan is not the launcher's.
std::vector<std::string> trainer_words(const std::string& trainer, const std::string& plan,
                                       const std::vector<std::string>& arguments);

}  // namespace argosy
