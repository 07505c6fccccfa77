// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What argosy-checkpoint does, apart from reading its command line. Text goes to `out`; the result
// is the exit code of the program.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>

namespace argosy {

// The checkpoint that a user's path means: itself, or the newest one of a folder of checkpoints or
// of a run folder (then *note says which). ConfigError when there is none.
std::filesystem::path find_checkpoint(const std::filesystem::path& path, std::string* note);

// Which tensors a command looks at: all when empty.
struct TensorFilter {
  std::string kind;    // only this kind
  std::string ignore;  // not those whose "kind/name" matches this regular expression
};

// How inspect prints: as JSON, or as lines of 100 columns, the optimizer's tensors in one of them
// unless all are wanted.
struct InspectStyle {
  bool as_json = false, all_tensors = false;
};

// kExitDone, or kExitFailure when a shard is missing or has not its size: each is named.
int inspect_checkpoint(const std::filesystem::path& checkpoint_dir, const InspectStyle& style,
                       std::ostream& out);
int report_verification(const std::filesystem::path& checkpoint_dir, std::ostream& out);
int print_hashes(const std::filesystem::path& checkpoint_dir, const TensorFilter& filter,
                 std::ostream& out);
// Of tensors that differ, the largest differences too. kExitDone when all tensors that pass the
// filter are equal to the bit, else kExitFailure.
int compare_checkpoints(const std::filesystem::path& a, const std::filesystem::path& b,
                        const TensorFilter& filter, std::ostream& out);

}  // namespace argosy
