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
// new one, never a part. A link, a device or a pipe stays what it is and is written into. Throws
// Error naming the path and the system's reason.
void write_text_file(const std::filesystem::path& path, std::string_view text);

// Why no file can be made in `folder`, in the system's words; "": one can, and was removed again.
// Permissions alone do not tell: root has them in /proc too.
std::string obstacle_to_files_in(const std::filesystem::path& folder);

// Whether write_text_file can make `path`, before the work whose result it is to hold. Throws
// ConfigError naming `option` ("--out"), the path and what would be valid.
void require_writable(std::string_view option, const std::filesystem::path& path);

}  // namespace argosy
