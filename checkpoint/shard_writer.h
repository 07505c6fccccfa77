// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace argosy {

// "shard_00007.h5"
std::string shard_file_name(int rank);

// Writes the pieces of one rank into directory/shard_<rank>.h5 and syncs it. Returns this rank's
// share of the manifest: one shard (none without pieces) and one tensor with one extent a piece.
// Throws Error when a piece is wrong, when the disk is full (before any data is written), or on any
// other failure.
Manifest write_shard(const std::filesystem::path& directory, int rank, int64_t step,
                     const std::vector<TensorPiece>& pieces);

// Throws Error unless the piece has a name, a shape, a box inside of it and memory.
void check_piece(const TensorPiece& piece);

}  // namespace argosy
