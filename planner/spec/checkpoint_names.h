// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// Where the checkpoints of a run lie, and its tokenizer: what writes, reads and counts them agrees
// on the names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace argosy {

// checkpoints_dir/step_00000100
std::filesystem::path checkpoint_path(const std::filesystem::path& checkpoints_dir, int64_t step);

// The step of a committed checkpoint's name; nothing for any other.
std::optional<int64_t> step_of_checkpoint_name(std::string_view name);

// Committed checkpoints in a folder, ascending by step; temporary folders are not among them. Empty
// where there is no such folder.
std::vector<int64_t> list_checkpoints(const std::filesystem::path& checkpoints_dir);

// run_dir/tokenizer: the files of the tokenizer that read the run's text, as they were given.
std::filesystem::path tokenizer_path(const std::filesystem::path& run_dir);

// The run folder in which `path` lies: itself, unless it is a run's checkpoints or one of them.
std::filesystem::path run_of(const std::filesystem::path& path);

// That folder of the run in which `path` lies: a run folder, its checkpoints or one of them.
// Nothing if the run has none.
std::optional<std::filesystem::path> tokenizer_of_run(const std::filesystem::path& path);

}  // namespace argosy
