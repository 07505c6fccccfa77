// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Small text files, whole: configurations and plans.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace argosy {

// The bytes of a regular file. Throws ConfigError naming the path and the system's reason.
std::string read_text_file(const std::filesystem::path& path);

// Writes a temporary file in the same folder, then renames it: readers see the old text or the
// new one, never a part. Throws Error naming the path and the system's reason.
void write_text_file(const std::filesystem::path& path, std::string_view text);

}  // namespace argosy
