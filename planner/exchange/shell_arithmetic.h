// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// $(( ... )) of a shell script.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "planner/exchange/shell_variables.h"

namespace argosy {

// Whole numbers and names of variables with + - * / % and brackets; nothing: it is something else,
// overflows or divides by less than one.
std::optional<int64_t> shell_arithmetic(std::string_view text, const ShellVariables& variables);

}  // namespace argosy
