// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/config_files.h"

#include <set>
#include <string_view>
#include <system_error>

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

// ", or a name in configs/models: gpt2-124m, ..."
std::string names_in(const char* folder) {
  if (std::string_view(folder) == "stacks") return "";  // --score takes tables, not profiles
  std::set<std::string> names;
  for (const fs::path& root : config_roots()) {
    std::error_code error;
    for (const fs::directory_entry& entry :
         fs::directory_iterator(root / "configs" / folder, error)) {
      const fs::path& path = entry.path();
      const bool is_config =
          path.extension() == ".json" && path.stem().extension() != ".corrections";
      if (is_config) names.insert(path.stem().string());
    }
  }
  std::string text;
  for (const std::string& name : names) append_listed(text, name);
  return text.empty() ? "" : concat(", or a name in configs/", folder, ": ", text);
}

std::string names_in(const std::vector<const char*>& folders) {
  std::string text;
  for (const char* folder : folders) text += names_in(folder);
  return text;
}

}  // namespace

fs::path find_config(const char* option, const std::string& given,
                     const std::vector<const char*>& folders) {
  if (given.empty()) {
    throw ConfigError(concat("--", option, " is missing; valid: a path", names_in(folders)));
  }
  std::vector<fs::path> places = {given};
  for (const fs::path& root : config_roots()) {
    places.push_back(root / given);
    for (const char* folder : folders) {
      const fs::path named = root / "configs" / folder;
      places.insert(places.end(), {named / given, named / (given + ".json")});
    }
  }
  for (const fs::path& path : places) {
    std::error_code error;
    if (fs::exists(path, error)) return path;
  }
  std::string searched;
  for (const char* folder : folders) {
    searched += concat(searched.empty() ? "" : " or ", "configs/", folder);
  }
  throw ConfigError(concat("--", option, ": there is no file '", given,
                           "', neither as given nor by that name in ", searched, "; valid: a path",
                           names_in(folders)));
}

fs::path find_cluster(const std::string& given) {
  return find_config("cluster", given, {"clusters", "accelerators"});
}

}  // namespace argosy
