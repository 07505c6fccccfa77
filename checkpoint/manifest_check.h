// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Internal to the room: the two halves of reading a manifest, apart so that a saving rank can hand
// over its share (which covers no tensor) in the same words.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/manifest.h"

namespace argosy {

// Keys and types only. Throws Error naming `where` and the key.
Manifest manifest_from_json(std::string_view json_text, const std::string& where);

// What must hold between the numbers: unique plain file names, extents inside shards and tensors
// and of the right size, disjoint in the file, and every tensor covered exactly once. Throws Error.
void check_manifest(const Manifest& manifest, const std::string& where);

// Shards that are missing, have another size than the manifest says, or are not in it. One line
// each.
std::vector<std::string> shard_file_problems(const std::filesystem::path& checkpoint_dir,
                                             const Manifest& manifest);

}  // namespace argosy
