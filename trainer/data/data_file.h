// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#pragma once

#include <string_view>

#include "planner/spec/mapped_file.h"

namespace argosy {

// What --data and --eval-data name.
struct DataFile : MappedFile {
  explicit DataFile(const std::filesystem::path& path)
      : MappedFile(path, "data file", "give one file of tokens or text (.bin, .txt, .jsonl)") {}

  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes().data()), bytes().size()};
  }
};

}  // namespace argosy
