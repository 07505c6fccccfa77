// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/spec/files.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include "planner/spec/check.h"

namespace argosy {

namespace fs = std::filesystem;

namespace {

// What a rename would replace by a file: /dev/null, a pipe, a link to a file elsewhere.
bool is_written_in_place(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status status = fs::symlink_status(path, ignored);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

}  // namespace

std::string read_text_file(const fs::path& path) {
  if (fs::is_directory(path)) {
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

void write_text_file(const fs::path& path, std::string_view text) {
  const bool in_place = is_written_in_place(path);
  // The process id keeps two writers of one path apart.
  const fs::path target = in_place ? path : fs::path(concat(path.string(), ".tmp.", ::getpid()));
  std::error_code ignored;
  errno = 0;
  std::ofstream file(target, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) {
    const int code = errno;
    if (!in_place) fs::remove(target, ignored);
    throw Error(concat("write of ", target.string(), " failed: ", std::strerror(code)));
  }
  if (in_place) return;
  std::error_code code;
  fs::rename(target, path, code);
  if (!code) return;
  fs::remove(target, ignored);
  throw Error(concat("rename to ", path.string(), " failed: ", code.message()));
}

std::string obstacle_to_files_in(const fs::path& folder) {
  std::string name = (folder / ".argosy.XXXXXX").string();
  const int file = ::mkstemp(name.data());
  if (file < 0) return std::strerror(errno);
  ::close(file);
  ::unlink(name.c_str());
  return "";
}

void require_writable(std::string_view option, const fs::path& path) {
  const auto refuse = [&](const std::string& why) {
    throw ConfigError(concat(option, ": ", path.string(), ": ", why));
  };
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) refuse("is a folder; valid: a file in it");
  if (is_written_in_place(path)) {
    if (::access(path.c_str(), W_OK) == 0) return;
    refuse(concat("cannot be written to (", std::strerror(errno), "); valid: a file of yours"));
  }
  const fs::path folder = fs::absolute(path).parent_path();
  if (!fs::is_directory(folder, ignored)) {
    refuse(
        concat("there is no folder ", folder.string(), "; valid: a file in a folder that exists"));
  }
  if (const std::string why = obstacle_to_files_in(folder); !why.empty()) {
    refuse(concat("folder ", folder.string(), " cannot be written to (", why,
                  "); valid: a file in a folder of yours"));
  }
}

}  // namespace argosy
