// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
#include "launch/gpus.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "planner/spec/cores.h"

namespace argosy {

std::optional<std::vector<Gpu>> gpus_of_machine(const std::filesystem::path& root) {
  std::error_code error;
  std::filesystem::directory_iterator entries(root / "proc/driver/nvidia/gpus", error);
  if (error) return std::nullopt;
  std::vector<Gpu> gpus;
  for (const auto& entry : entries) {
    const std::string address = entry.path().filename().string();
    gpus.push_back({address, cpus_near_pci_device(address, root)});
  }
  std::sort(gpus.begin(), gpus.end(),
            [](const Gpu& a, const Gpu& b) { return a.pci_address < b.pci_address; });
  return gpus;
}

std::vector<Gpu> visible_gpus(const std::vector<Gpu>& gpus, std::string_view cuda_visible_devices) {
  std::vector<Gpu> visible;
  std::istringstream words{std::string(cuda_visible_devices)};
  for (std::string word; std::getline(words, word, ',');) {
    word.erase(0, word.find_first_not_of(' '));
    if (word.starts_with("GPU-") || word.starts_with("MIG-")) {
      visible.emplace_back();
      continue;
    }
    size_t index = 0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), index);
    if (code != std::errc() || index >= gpus.size()) break;
    visible.push_back(gpus[index]);
  }
  return visible;
}

}  // namespace argosy
