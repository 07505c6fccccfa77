// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/config_files.h"

#include <system_error>
#include <vector>

#include "planner/spec/check.h"

namespace argosy {

namespace {

namespace fs = std::filesystem;

// Folders that hold configs/: the source tree that the program was built in, <build>/bin/../.., and
// for builds elsewhere the one it was configured from.
std::vector<fs::path> config_roots() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  std::vector<fs::path> roots;
  if (!error) roots.push_back(program.parent_path().parent_path().parent_path());
  roots.emplace_back(ARGOSY_SOURCE_DIR);
  return roots;
}

}  // namespace

fs::path find_config(const char* option, const std::string& given, const char* folder) {
  if (given.empty()) throw ConfigError(concat("--", option, " is missing; valid: a path"));
  std::vector<fs::path> places = {given};
  for (const fs::path& root : config_roots()) {
    const fs::path named = root / "configs" / folder;
    places.insert(places.end(), {root / given, named / given, named / (given + ".json")});
  }
  for (const fs::path& path : places) {
    std::error_code error;
    if (fs::exists(path, error)) return path;
  }
  throw ConfigError(concat("--", option, ": there is no file '", given,
                           "', neither as given nor by that name in configs/", folder));
}

}  // namespace argosy
