// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The GPUs of this machine, as the driver and the system tell without CUDA.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace argosy {

struct Gpu {
  std::string pci_address;  // "0000:18:00.0"; empty: not known
  std::vector<int> cpus;    // of its NUMA node; empty: not known
  bool operator==(const Gpu&) const = default;
};

// Those that NVIDIA's driver shows here, in the order of their PCI addresses, which is CUDA's with
// CUDA_DEVICE_ORDER=PCI_BUS_ID. Nothing where the driver's files are not there: then nobody knows.
// root: of the file system, for tests.
std::optional<std::vector<Gpu>> gpus_of_machine(const std::filesystem::path& root = "/");

// Those that CUDA_VISIBLE_DEVICES leaves, in its order. As in CUDA, the list ends before the first
// number that there is not; of names ("GPU-...", "MIG-...") it is only known how many they are.
std::vector<Gpu> visible_gpus(const std::vector<Gpu>& gpus, std::string_view cuda_visible_devices);

}  // namespace argosy
