// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// A whole file as read-only memory: pages come when they are touched and are shared by the ranks of
// a host.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace argosy {

class MappedFile {
 public:
  // Throws ConfigError if `path` is missing, not a regular file, unreadable or empty, naming it as
  // `kind`, "data file"; `remedy` says what would be a file where it is none.
  MappedFile(const std::filesystem::path& path, std::string_view kind, std::string_view remedy);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

}  // namespace argosy
