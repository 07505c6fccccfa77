// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The machines of a row: the accelerator's file with the row's numbers in place of the usual ones.
#include <algorithm>
#include <bit>
#include <cctype>
#include <regex>

#include "planner/score/run_setup.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr double kGiga = 1e9;

// Lower case, letters and digits alone.
std::string key_of(const std::string& name) {
  std::string key;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return key;
}

// How well an accelerator stands for a name that is the beginning of its own, or that begins with
// it: boards with NVLink before PCIe, and of these the ones with 80 GB, which are the usual ones.
int fitness(const std::string& known) {
  return (known.find("sxm") != std::string::npos ? 2 : 0) + (known.ends_with("80gb") ? 1 : 0);
}

// Exactly this name, else the fittest that begins alike and has the memory that the name says, if
// it says one ("A100-40GB").
const ClusterSpec& accelerator_named(const std::string& name,
                                     const std::vector<ClusterSpec>& accelerators) {
  std::smatch match;
  const bool has_memory = std::regex_match(name, match, std::regex("(.+)[- ]([0-9]+ ?GB)"));
  const std::string key = key_of(name), chip = has_memory ? key_of(match[1]) : key;
  const std::string memory = has_memory ? key_of(match[2]) : "";
  const ClusterSpec* similar = nullptr;
  for (const ClusterSpec& cluster : accelerators) {
    const std::string known = key_of(cluster.accelerator.name);
    if (known == key) return cluster;
    const bool begins_alike = key.starts_with(known) ||
                              (known.starts_with(chip) && known.find(memory) != std::string::npos);
    if (!begins_alike) continue;
    if (similar == nullptr || fitness(known) > fitness(key_of(similar->accelerator.name))) {
      similar = &cluster;
    }
  }
  if (similar == nullptr) {
    throw ConfigError(concat("accelerator '", name, "' is not in configs/accelerators"));
  }
  return *similar;
}

}  // namespace

std::vector<ClusterSpec> read_accelerators(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  if (files.empty()) throw ConfigError(concat(folder.string(), ": no accelerators (*.json)"));
  std::sort(files.begin(), files.end());
  std::vector<ClusterSpec> all;
  all.reserve(files.size());
  for (const auto& file : files) all.push_back(read_cluster(file).cluster);
  return all;
}

ClusterSpec cluster_of(const PublishedRun& run, const std::vector<ClusterSpec>& accelerators) {
  ClusterSpec cluster = accelerator_named(run.gpu, accelerators);
  const bool has_racks = cluster.tiers.front().devices > cluster.devices_per_node;
  cluster.num_devices = *run.num_gpus;
  if (run.gpus_per_node) cluster.devices_per_node = *run.gpus_per_node;
  LinkTier &inside = cluster.tiers.front(), &between = cluster.tiers.back();
  // Degrees are powers of two: jobs take that many devices of a rack that is joined by NVLink.
  inside.devices = has_racks
                       ? static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(inside.devices)))
                       : cluster.devices_per_node;
  if (run.intra_bw_gbs) inside.bytes_per_s = *run.intra_bw_gbs * kGiga;
  if (run.inter_bw_gbs_per_gpu) between.bytes_per_s = *run.inter_bw_gbs_per_gpu * kGiga;
  return cluster;
}

}  // namespace argosy
