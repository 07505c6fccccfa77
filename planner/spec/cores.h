// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// The cores that this process may use, as the system tells: for the launcher, which shares them
// out, and for ranks that look what they were given.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace argosy {

struct Core {
  std::vector<int> cpus;  // its hyper-threads that the affinity mask allows
  bool is_small = false;  // of a CPU with two kinds of cores, an efficient one
  bool operator==(const Core&) const = default;
};

struct Cores {
  std::vector<Core> list;       // physical cores, the large ones first
  bool whole_machine = true;    // false: the affinity mask leaves CPUs out
  std::optional<double> quota;  // cores' worth of time that the control group grants, if limited
  // Cores to count on: the list, or fewer where the quota pays for fewer; at least 1.
  int64_t count() const;
};
Cores usable_cores();

// CPUs of the NUMA node of a PCI device ("0000:18:00.0"), as sysfs tells; empty where it does not.
// root: of the file system, for tests.
std::vector<int> cpus_near_pci_device(std::string_view address,
                                      const std::filesystem::path& root = "/");
// Leaves this process those of its CPUs that are in `cpus`. False, and nothing changes, where none
// is, or none would be left out.
bool keep_to_cpus(const std::vector<int>& cpus);

// "0-3,8" -> {0, 1, 2, 3, 8}; what the kernel writes.
std::vector<int> parse_cpu_list(std::string_view text);
// cpu.max of cgroup v2: "200000 100000" -> 2.0, "max 100000" -> nothing.
std::optional<double> parse_cpu_quota(std::string_view text);

}  // namespace argosy
