// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// [ ... ] and [[ ... ]] of a shell script.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "planner/exchange/shell_tokens.h"
#include "planner/exchange/shell_variables.h"

namespace argosy {

enum class Truth { no, yes, unknown };  // unknown: only the shell can find it out
Truth truth_of(bool is_true);
Truth both(Truth left, Truth right);
Truth either(Truth left, Truth right);
Truth opposite(Truth truth);

// `tokens`: what stands between the brackets. Names of variables that nobody sets, which count as
// empty, are added to `assumed_empty`. Files are taken as not being there.
Truth truth_of_test(std::span<const ShellToken> tokens, const ShellVariables& variables,
                    std::vector<std::string>& assumed_empty);

// A pattern of `case`, quotes and all, against the value.
Truth truth_of_pattern(const std::string& value, const std::string& pattern,
                       const ShellVariables& variables);

}  // namespace argosy
