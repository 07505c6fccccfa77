// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "checkpoint/file_io.h"
#include "checkpoint/manifest.h"

namespace argosy {

// Part of an extent: `box`, in global coordinates, is whole rows of the extent or a piece of one
// row; `data` is its row-major image, (box.rows, box.cols), valid during the call only.
using UsePart = std::function<void(const Box& box, const unsigned char* data)>;

// Reads tensor data at the manifest's offsets with plain file reads; HDF5 is not asked. Memory: one
// bucket, whatever the size of the checkpoint. Keeps the last shard open: read in order of shards.
class ShardReader {
 public:
  // `manifest` must outlive it.
  ShardReader(std::filesystem::path checkpoint_dir, const Manifest& manifest);

  // Reads the whole extent, part by part, and checks its CRC at the end: what `use` has got until
  // then counts only if this returns. Throws Error naming file, tensor, rectangle and offset.
  void read(const StoredTensor& tensor, const Extent& extent, const UsePart& use);

 private:
  const File& open(int shard);

  std::filesystem::path directory_;
  const Manifest& manifest_;
  int open_shard_ = -1;
  std::optional<File> file_;
  std::vector<unsigned char> bucket_;
};

}  // namespace argosy
