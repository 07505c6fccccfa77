// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include "planner/spec/mapped_file.h"

namespace argosy {

// What --data and --eval-data name.
struct DataFile : MappedFile {
  explicit DataFile(const std::filesystem::path& path)
      : MappedFile(path, "data file", "give one file of tokens or text (.bin, .txt, .jsonl)") {}
};

}  // namespace argosy
