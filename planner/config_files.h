// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where the files that options name are.
#pragma once

#include <filesystem>
#include <string>

namespace argosy {

// A path as given, else relative to the program, else a name in configs/<folder>. Throws
// ConfigError naming the option.
std::filesystem::path find_config(const char* option, const std::string& given, const char* folder);

}  // namespace argosy
