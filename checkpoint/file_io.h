// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The one checked wrapper of the file calls: every failure is an Error naming call, path and the
// system's text, short reads and writes are continued, and durability is asked for by name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace argosy {

// An open file descriptor.
class File {
 public:
  static File open_for_reading(const std::filesystem::path& path);
  static File open_for_writing(const std::filesystem::path& path);  // must exist
  static File create(const std::filesystem::path& path);            // must not exist
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;
  ~File();

  int64_t size_bytes() const;
  // Exactly `bytes`; an end of file in between is an Error ("truncated").
  void read_at(int64_t offset, void* data, int64_t bytes) const;
  void write_at(int64_t offset, const void* data, int64_t bytes);
  // Reserves disk space for [0, bytes): a full disk is an Error now and not in the middle of a
  // write. File systems that cannot reserve are left to the writes.
  void allocate(int64_t bytes);
  void sync();   // data and size are on the device afterwards
  void close();  // the destructor closes too, but cannot report
  const std::filesystem::path& path() const { return path_; }

 private:
  File(int descriptor, std::filesystem::path path);
  int descriptor_ = -1;
  std::filesystem::path path_;
};

// CRC-32C of bytes [0, bytes) as the file system gives them back.
uint32_t crc32c_of_file(const File& file, int64_t bytes);

[[noreturn]] void throw_system_error(const char* call, const std::filesystem::path& path, int code);

// Makes creations, removals and renames inside `directory` durable.
void sync_directory(const std::filesystem::path& directory);

// Creates `path` with `text` and syncs it.
void write_durably(const std::filesystem::path& path, std::string_view text);

// Error when missing, not a regular file, or larger than max_bytes (nothing is allocated then).
std::string read_file(const std::filesystem::path& path, int64_t max_bytes);

}  // namespace argosy
