// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/config_files.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
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

// "a path, or a name in configs/models: gpt2-124m, ..."; of accelerators, which are many, how many.
std::string valid_words(const std::vector<const char*>& folders) {
  std::string text = "a path";
  for (const char* folder : folders) {
    const std::vector<std::string> names = names_in(folder);
    if (names.empty()) continue;
    if (folders.size() > 1 && folder != folders.front()) {
      text += concat(", or one of ", names.size(), " names in configs/", folder, ", as ",
                     names.front());
      continue;
    }
    std::string list;
    for (const std::string& name : names) append_listed(list, name);
    text += concat(", or a name in configs/", folder, ": ", list);
  }
  return text;
}

// "h100-1024" where there is h100-8192, or "l40s-64": the machines are known, not in that number.
// Empty: it is no such name.
std::string known_in_parts(const std::string& given) {
  const size_t dash = given.rfind('-');
  if (dash == std::string::npos || dash == 0) return "";
  const std::string kind = given.substr(0, dash), count = given.substr(dash + 1);
  const auto is_digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  const auto is_count = [&](const std::string& text) {
    return !text.empty() && text.size() < 10 && std::all_of(text.begin(), text.end(), is_digit);
  };
  if (!is_count(count)) return "";
  int64_t fewest = 0;
  for (const std::string& name : names_in("clusters")) {
    if (!name.starts_with(kind + "-") || !is_count(name.substr(dash + 1))) continue;
    const int64_t devices = std::stoll(name.substr(dash + 1));
    if (devices > std::stoll(count) && (fewest == 0 || devices < fewest)) fewest = devices;
  }
  std::string name = fewest > 0 ? concat(kind, "-", fewest) : "";
  if (name.empty()) name = nearest_name(kind, names_in("accelerators"));
  return name.empty() ? "" : concat(name, " --devices ", count);
}

// "neither as given nor by that name in configs/models; meant llama-3.1-8b?"
std::string not_found(const std::string& given, const std::vector<const char*>& folders) {
  std::string text = "neither as given nor by that name in ";
  std::vector<std::string> names;
  for (const char* folder : folders) {
    text += concat(folder == folders.front() ? "" : " or ", "configs/", folder);
    for (std::string& name : names_in(folder)) names.push_back(std::move(name));
  }
  const bool is_cluster = folders.front() == std::string_view("clusters");
  if (const std::string part = is_cluster ? known_in_parts(given) : ""; !part.empty()) {
    return concat(text, ", meant ", part, "? (--devices takes a part of a cluster)");
  }
  const std::string near = nearest_name(given, names);
  return near.empty() ? text : concat(text, ", meant ", near, "?");
}

// `where` is what messages call the place that has the name.
fs::path find_file(const std::string& where, const std::string& given,
                   const std::vector<const char*>& folders) {
  if (given.empty()) {
    throw ConfigError(concat(where, " is missing; valid: ", valid_words(folders)));
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
  throw ConfigError(concat(where, ": there is no file '", given, "', ", not_found(given, folders),
                           "; valid: ", valid_words(folders)));
}

}  // namespace

fs::path find_config(const char* option, const std::string& given,
                     const std::vector<const char*>& folders) {
  return find_file(concat("--", option), given, folders);
}

fs::path find_cluster(const std::string& given) {
  return find_config("cluster", given, {"clusters", "accelerators"});
}

fs::path find_accelerator(const std::string& where, const std::string& given) {
  return find_file(where, given, {"accelerators"});
}

}  // namespace argosy
