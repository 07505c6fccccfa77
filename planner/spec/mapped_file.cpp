// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "planner/spec/check.h"

namespace argosy {

namespace {

// The reason of the call that failed last, thread-safe unlike strerror.
std::string reason() {
  return std::generic_category().message(errno);
}

// Closes on every way out of the constructor below; a mapping outlives its descriptor.
struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path, std::string_view kind,
                       std::string_view remedy) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) {
    throw ConfigError(concat(kind, " ", path, ": cannot be read: ", reason()));
  }
  struct stat info = {};
  if (::fstat(file.fd, &info) != 0) {
    throw Error(concat("fstat of ", kind, " ", path, " failed: ", reason()));
  }
  if (!S_ISREG(info.st_mode)) {
    throw ConfigError(concat(kind, " ", path, ": not a regular file; ", remedy));
  }
  if (info.st_size == 0) throw ConfigError(concat(kind, " ", path, ": is empty"));
  size_bytes_ = static_cast<size_t>(info.st_size);
  void* address = ::mmap(nullptr, size_bytes_, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (address == MAP_FAILED) {
    throw Error(
        concat("mmap of ", kind, " ", path, " (", size_bytes_, " bytes) failed: ", reason()));
  }
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  ::munmap(const_cast<std::byte*>(data_), size_bytes_);
}

}  // namespace argosy
