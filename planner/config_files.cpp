// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/config_files.h"

#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "planner/spec/check.h"
#include "planner/spec/near_name.h"

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

std::vector<std::string> names_in(const char* folder) {
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
  return {names.begin(), names.end()};
}

// "a path, or a name in configs/models: gpt2-124m, ..."
std::string valid_words(const std::vector<const char*>& folders) {
  std::string text = "a path";
  for (const char* folder : folders) {
    std::string list;
    for (const std::string& name : names_in(folder)) append_listed(list, name);
    if (!list.empty()) text += concat(", or a name in configs/", folder, ": ", list);
  }
  return text;
}

// "neither as given nor by that name in configs/models; meant llama-3.1-8b?"
std::string not_found(const std::string& given, const std::vector<const char*>& folders) {
  std::string text = "neither as given nor by that name in ";
  std::vector<std::string> names;
  for (const char* folder : folders) {
    text += concat(folder == folders.front() ? "" : " or ", "configs/", folder);
    for (std::string& name : names_in(folder)) names.push_back(std::move(name));
  }
  const std::string near = nearest_name(given, names);
  return near.empty() ? text : concat(text, ", meant ", near, "?");
}

}  // namespace

fs::path find_config(const char* option, const std::string& given,
                     const std::vector<const char*>& folders) {
  if (given.empty()) {
    throw ConfigError(concat("--", option, " is missing; valid: ", valid_words(folders)));
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
  throw ConfigError(concat("--", option, ": there is no file '", given, "', ",
                           not_found(given, folders), "; valid: ", valid_words(folders)));
}

fs::path find_cluster(const std::string& given) {
  return find_config("cluster", given, {"clusters", "accelerators"});
}

}  // namespace argosy
