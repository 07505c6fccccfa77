// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The machines of a row: the accelerator's file with the row's numbers in place of the usual ones.
#include <algorithm>
#include <bit>
#include <cctype>
#include <regex>
#include <utility>

#include "planner/score/run_setup.h"
#include "planner/spec/check.h"

namespace argosy {

namespace {

constexpr double kGiga = 1e9;

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

// Lower case, letters and digits alone, and a hyphen between two numbers.
std::string key_of(const std::string& name) {
  std::string key;
  bool is_apart = false;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) {
      is_apart = true;
      continue;
    }
    if (is_apart && is_digit(c) && !key.empty() && is_digit(key.back())) key += '-';
    key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    is_apart = false;
  }
  return key;
}

// How well an accelerator stands for a name that is the beginning of its own, or that begins with
// it: boards with NVLink before PCIe, and of these the ones with 80 GB, which are the usual ones.
int fitness(const std::string& known) {
  return (known.find("sxm") != std::string::npos ? 2 : 0) + (known.ends_with("80gb") ? 1 : 0);
}

// Not where a number goes on: A10 is no A100, H20 no H200.
bool begins_with(const std::string& text, const std::string& start) {
  return text.starts_with(start) && (start.empty() || text.size() == start.size() ||
                                     !is_digit(start.back()) || !is_digit(text[start.size()]));
}

// "NVIDIA H100 80GB HBM3", as nvidia-smi has it: without the makers, families and kinds of memory
// that the files' names do without.
std::string without_makers(const std::string& name) {
  static const std::regex kMakers("^((NVIDIA|AMD|Google|Tesla|GeForce|Instinct|Cloud)[- ])+",
                                  std::regex::icase);
  static const std::regex kMemory("[- ](HBM|GDDR)[0-9]+[ex]?$", std::regex::icase);
  return std::regex_replace(std::regex_replace(name, kMakers, ""), kMemory, "");
}

// Exactly this name, else of those that begin alike and have the memory that the name says, if it
// says one ("A100-40GB"), the one that has most of the name in common, then the fittest.
const ClusterSpec& accelerator_named(const std::string& given,
                                     const std::vector<ClusterSpec>& accelerators) {
  const std::string name = without_makers(given);
  std::smatch match;
  const bool has_memory = std::regex_match(name, match, std::regex("(.+)[- ]([0-9]+ ?GB)"));
  const std::string key = key_of(name), chip = has_memory ? key_of(match[1]) : key;
  const std::string memory = has_memory ? key_of(match[2]) : "";
  const ClusterSpec* similar = nullptr;
  std::pair<size_t, int> best;  // letters in common, fitness
  for (const ClusterSpec& cluster : accelerators) {
    const std::string known = key_of(cluster.accelerator.name);
    if (known == key) return cluster;
    const bool begins_alike = begins_with(chip, known) ||
                              (begins_with(known, chip) && known.find(memory) != std::string::npos);
    const std::pair<size_t, int> rank(std::min(chip.size(), known.size()), fitness(known));
    if (!begins_alike || (similar != nullptr && rank <= best)) continue;
    similar = &cluster;
    best = rank;
  }
  if (similar == nullptr) {
    throw ConfigError(concat("accelerator '", given, "' is not in configs/accelerators"));
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
