// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "checkpoint/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "planner/spec/check.h"

namespace argosy {
namespace {

// Linux transfers at most 2^31 - 4096 bytes a call (read(2)); 1 GiB is well below.
constexpr int64_t kMaxTransferBytes = int64_t{1} << 30;

int open_checked(const std::filesystem::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (descriptor < 0) throw_system_error("open", path, errno);
  return descriptor;
}

}  // namespace

void throw_system_error(const char* call, const std::filesystem::path& path, int code) {
  throw Error(concat(call, " ", path.string(), ": ", std::generic_category().message(code),
                     " (errno ", code, ")"));
}

File::File(int descriptor, std::filesystem::path path)
    : descriptor_(descriptor), path_(std::move(path)) {}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

File File::open_for_reading(const std::filesystem::path& path) {
  return {open_checked(path, O_RDONLY), path};
}

File File::open_for_writing(const std::filesystem::path& path) {
  return {open_checked(path, O_RDWR), path};
}

File File::create(const std::filesystem::path& path) {
  return {open_checked(path, O_RDWR | O_CREAT | O_EXCL), path};
}

int64_t File::size_bytes() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) throw_system_error("fstat", path_, errno);
  return status.st_size;
}

void File::read_at(int64_t offset, void* data, int64_t bytes) const {
  auto* to = static_cast<char*>(data);
  while (bytes > 0) {
    const auto wanted = static_cast<size_t>(std::min(bytes, kMaxTransferBytes));
    const ssize_t count = ::pread(descriptor_, to, wanted, offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error("pread", path_, errno);
    if (count == 0) {
      throw Error(concat(path_.string(), ": truncated: the file ends at byte ", offset, ", ", bytes,
                         " more are expected"));
    }
    to += count;
    offset += count;
    bytes -= count;
  }
}

void File::write_at(int64_t offset, const void* data, int64_t bytes) {
  const auto* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const auto wanted = static_cast<size_t>(std::min(bytes, kMaxTransferBytes));
    const ssize_t count = ::pwrite(descriptor_, from, wanted, offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error("pwrite", path_, errno);
    from += count;
    offset += count;
    bytes -= count;
  }
}

void File::allocate(int64_t bytes) {
  if (bytes <= 0) return;
  const int code = ::posix_fallocate(descriptor_, 0, bytes);
  if (code == EOPNOTSUPP || code == EINVAL) return;
  if (code != 0) throw_system_error("posix_fallocate", path_, code);
}

void File::sync() {
  if (::fsync(descriptor_) != 0) throw_system_error("fsync", path_, errno);
}

void File::close() {
  if (::close(std::exchange(descriptor_, -1)) != 0) throw_system_error("close", path_, errno);
}

void sync_directory(const std::filesystem::path& directory) {
  const int descriptor = open_checked(directory, O_RDONLY | O_DIRECTORY);
  const int code = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  // Some network file systems sync directories by themselves and refuse the call.
  if (code != 0 && code != EINVAL) throw_system_error("fsync", directory, code);
}

void write_durably(const std::filesystem::path& path, std::string_view text) {
  File file = File::create(path);
  file.write_at(0, text.data(), static_cast<int64_t>(text.size()));
  file.sync();
  file.close();
}

std::string read_file(const std::filesystem::path& path, int64_t max_bytes) {
  if (std::filesystem::exists(path) && !std::filesystem::is_regular_file(path)) {
    throw Error(concat(path.string(), ": not a regular file"));
  }
  const File file = File::open_for_reading(path);
  const int64_t bytes = file.size_bytes();
  if (bytes > max_bytes) {
    throw Error(concat(path.string(), ": ", bytes, " bytes, at most ", max_bytes, " are possible"));
  }
  std::string text(static_cast<size_t>(bytes), '\0');
  file.read_at(0, text.data(), bytes);
  return text;
}

}  // namespace argosy
