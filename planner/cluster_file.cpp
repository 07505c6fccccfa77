// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "planner/cluster_file.h"

#include "planner/config_files.h"
#include "planner/spec/files.h"
#include "planner/spec/json.h"

namespace argosy {

namespace {

// The file with all that its accelerator's file says besides.
Json completed(const Json& given, const Json& accelerator) {
  Json whole = accelerator;
  whole.erase("name");  // of the accelerator's node
  for (const auto& [key, value] : given.items()) {
    if (key != "accelerator") whole[key] = value;
  }
  const bool has_own_nodes = given.contains("devices_per_node") && !given.contains("tiers");
  if (has_own_nodes && whole.contains("tiers") && !whole["tiers"].empty()) {
    whole["tiers"][0]["devices"] = given["devices_per_node"];
  }
  return whole;
}

}  // namespace

ClusterReading read_cluster_file(const std::filesystem::path& path) {
  const std::string where = path.string();
  const Json given = parse_json(read_text_file(path), where);
  const bool names_it =
      given.is_object() && given.contains("accelerator") && given["accelerator"].is_string();
  if (!names_it) return read_cluster(path);
  const std::filesystem::path file =
      find_accelerator(where + ": accelerator", given["accelerator"].get<std::string>());
  const Json accelerator = parse_json(read_text_file(file), file.string());
  JsonObject(accelerator, file.string()).object("accelerator");  // it describes one itself
  return parse_cluster(completed(given, accelerator).dump(), path.stem().string(), where);
}

}  // namespace argosy
