// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/files.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include "planner/spec/check.h"

namespace argosy {

std::string read_text_file(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    throw ConfigError(concat(path.string(), ": is a folder, expected a file"));
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file.is_open() || file.bad()) {
    throw ConfigError(concat(path.string(), ": cannot be read: ", std::strerror(errno)));
  }
  return text.str();
}

void write_text_file(const std::filesystem::path& path, std::string_view text) {
  // The process id keeps two writers of one path apart.
  const std::filesystem::path temporary = concat(path.string(), ".tmp.", ::getpid());
  errno = 0;
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) {
    const int code = errno;
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw Error(concat("write of ", temporary.string(), " failed: ", std::strerror(code)));
  }
  std::error_code code;
  std::filesystem::rename(temporary, path, code);
  if (code) throw Error(concat("rename to ", path.string(), " failed: ", code.message()));
}

}  // namespace argosy
